"""Organizations, their members and groups."""
