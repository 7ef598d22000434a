"""Hints for people who watch their chat list or inbox: which chat changed, and in what way. Never content.

Two Redis streams per owner carry them, one for each list. Whoever gets a hint reads the rows, which are then
at least as new as the change. A hint may come twice, because an attempt that died behind its commit is
repeated; clients put the newer chat in the place of the older.
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

import orjson

HINTS_MAX_ENTRIES = 1000
"""Entries kept per stream. A reader is told of each at once; older ones serve nobody."""

HINTS_EXPIRE_SECONDS = 600


class HintKind(StrEnum):
    """What happened. All but the last two are kinds of the chat list (spec api.md 7)."""

    CREATED = "created"
    DELETED = "deleted"
    STATUS_CHANGE = "status_change"
    TITLE_CHANGE = "title_change"
    SUMMARY_CHANGE = "summary_change"
    CHAT_SUMMARY_CHANGE = "chat_summary_change"
    ACTION_REQUIRED = "action_required"
    TURN_FINISHED = "turn_finished"
    NOTIFIED = "notified"


INBOX_KINDS = (HintKind.TURN_FINISHED, HintKind.NOTIFIED)
"""About the notification that a turn leaves: it is there, but its words are still to come; it is complete."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A change of one chat. `turn` tells which turn a kind of the inbox is about."""

    owner_id: UUID
    chat_id: UUID
    kind: HintKind
    turn: int = 0

    @property
    def key(self) -> str:
        """The stream it belongs to."""
        return inbox_key(self.owner_id) if self.kind in INBOX_KINDS else chat_list_key(self.owner_id)

    def encode(self) -> dict[str, bytes]:
        """The fields of its stream entry."""
        return {"e": orjson.dumps({"k": self.kind, "c": self.chat_id, "t": self.turn})}


def chat_list_key(owner_id: UUID) -> str:
    return f"perdure:owner:{owner_id}:chats"


def inbox_key(owner_id: UUID) -> str:
    return f"perdure:owner:{owner_id}:inbox"


def decode_hint(owner_id: UUID, fields: dict[bytes, bytes]) -> Hint | None:
    """The hint in the fields of a stream entry; None for what this release does not know."""
    try:
        body = orjson.loads(fields[b"e"])
        return Hint(owner_id, UUID(body["c"]), HintKind(body["k"]), int(body["t"]))
    except (KeyError, TypeError, ValueError):
        return None
