"""Messages of a chat: read and sent."""
