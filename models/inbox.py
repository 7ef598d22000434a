"""What the end of a turn leaves in its owner's inbox. Pure."""

from uuid import UUID

TURN_FINISHED = UUID("5f6d1c1e-3c0b-4f0a-9c55-2b8d6d7f1a01")
TURN_FAILED = UUID("5f6d1c1e-3c0b-4f0a-9c55-2b8d6d7f1a02")
"""Templates of notifications. Clients filter by them: they never change."""

FALLBACK_LABEL = "Finished latest turn"
"""Stands for a finished turn that no model has put into words."""

MAX_CONTENT = 1000


def inbox_text(text: str, limit: int = MAX_CONTENT) -> str:
    """Text for a column and a list: without NUL, and not longer than `limit`."""
    clean = text.replace("\0", "")
    return clean if len(clean) <= limit else f"{clean[: limit - 1]}…"
