"""Prompts: from stored history to a request. Pure."""
