"""What users set for themselves."""
