"""Commands to a chat that carry no content."""
