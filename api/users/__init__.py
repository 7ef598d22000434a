"""Users: who the caller is."""
