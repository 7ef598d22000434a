"""Cutting a chat's history: a message and all behind it are deleted, and stay as tombstones for readers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, select, update

from models.chat_state import ToolCallRef
from models.parts import dump_part
from models.store.bundle import CLOSED_BECAUSE, Bundle, NewMessage, synthetic_result
from models.store.messages import PUBLIC
from models.store.tables import messages
from models.store.transcripts import NEWEST_BOUNDARY
from models.turns import CallsClosedBy

_HERE = (messages.c.chat_id == bindparam("chat"), messages.c.deleted.is_(False))

_LAST_ANSWER = (
    select(func.max(messages.c.id))
    .where(
        *_HERE,
        messages.c.role == "assistant",
        messages.c.compressed.is_(False),
        messages.c.id > NEWEST_BOUNDARY,
    )
    .scalar_subquery()
)
_SINCE_THE_LAST_ANSWER = (
    select(messages.c.role, messages.c.content, messages.c.turn, messages.c.step)
    .where(*_HERE, messages.c.role.in_(("assistant", "tool")), messages.c.id >= _LAST_ANSWER)
    .order_by(messages.c.id)
)


@dataclass(frozen=True, slots=True)
class Target:
    """The message to be replaced: the model and effort it was to be answered with."""

    id: int
    model_config_id: UUID | None
    reasoning_effort: str | None


async def find_target(bundle: Bundle, message_id: int) -> Target | None:
    """A message that a user sees as theirs; None if the chat has no such message any more."""
    result = await bundle.conn.execute(
        select(messages.c.id, messages.c.model_config_id, messages.c.reasoning_effort).where(
            messages.c.chat_id == bundle.chat_id,
            messages.c.id == message_id,
            messages.c.role == "user",
            *PUBLIC,
        )
    )
    row = result.one_or_none()
    return None if row is None else Target(*row)


async def cut(bundle: Bundle, message_id: int) -> None:
    """Delete a message and all behind it, those included that only the model sees. Calls of the last answer
    that stays, which had no result before the message, get one that says why."""
    await bundle.conn.execute(
        update(messages)
        .where(
            messages.c.chat_id == bundle.chat_id,
            messages.c.id >= message_id,
            messages.c.deleted.is_(False),
        )
        .values(deleted=True, revision=bundle.version)
    )
    bundle.set(open_calls=[])  # those of the part that is gone need no result
    rows = (await bundle.conn.execute(_SINCE_THE_LAST_ANSWER, {"chat": bundle.chat_id})).all()
    calls = _outstanding([row.content for row in rows])
    if calls:
        why = CLOSED_BECAUSE[CallsClosedBy.EDIT]
        results = [NewMessage("tool", [dump_part(synthetic_result(call, why))]) for call in calls]
        bundle.add_messages(results, turn=rows[0].turn, step=rows[0].step)


def _outstanding(contents: Sequence[list[dict[str, Any]]]) -> list[ToolCallRef]:
    """The calls of an answer that neither itself nor a row behind it has a result for. What a provider ran
    itself never gets one of ours: it would refuse the replay (spec state-machine.md 5.4)."""
    if not contents:
        return []
    parts = [part for content in contents for part in content]
    done = {part.get("tool_call_id") for part in parts if part.get("type") == "tool-result"}
    return [
        ToolCallRef(id=part["tool_call_id"], name=part["tool_name"])
        for part in contents[0]
        if part.get("type") == "tool-call"
        and not part.get("provider_executed")
        and part["tool_call_id"] not in done
    ]
