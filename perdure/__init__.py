"""What programs import: `perdure.client`."""
