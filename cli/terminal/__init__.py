"""Chats in a terminal: what to show of a stream (`turn`), how (`printer`), and the commands that do it."""
