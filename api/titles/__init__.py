"""Proposals of titles."""
