"""Chats: made, listed, read, edited, interrupted."""
