"""Inbox notifications: what turns have left for their owner to read."""
