"""Proposals of titles: short workflows beside the chats', which they leave alone."""
