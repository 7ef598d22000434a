"""Reasoning that comes signed in pieces (`reasoning_details`), put together so that it can go back. Pure."""

from collections.abc import Iterable
from typing import Any

_GROWING = ("text", "summary", "data")
"""Fields that come in pieces; of all others the last word counts."""

Detail = dict[str, Any]


class ReasoningDetails:
    """Collects the details of one answer."""

    def __init__(self) -> None:
        self._details: list[Detail] = []

    def add(self, pieces: Iterable[Detail]) -> str:
        """Take pieces in; the text in them, for servers that tell reasoning in no other way."""
        told = ""
        for piece in pieces:
            told += piece.get("text") or piece.get("summary") or ""
            self._add(piece)
        return told

    @property
    def whole(self) -> list[Detail]:
        """The details as they go back, in order."""
        return [dict(detail) for detail in self._details]

    def _add(self, piece: Detail) -> None:
        last = next((detail for detail in reversed(self._details) if _continues(detail, piece)), None)
        if last is None:
            self._details.append(dict(piece))
            return
        for name, value in piece.items():
            if name in _GROWING and isinstance(value, str):
                last[name] = (last.get(name) or "") + value
            elif value is not None:
                last[name] = value


def _continues(detail: Detail, piece: Detail) -> bool:
    """Pieces of one detail share type and index; without an index each is one of its own."""
    if piece.get("index") is None or piece.get("type") != detail.get("type"):
        return False
    both_named = piece.get("id") and detail.get("id")
    return piece["index"] == detail.get("index") and (not both_named or piece["id"] == detail["id"])
