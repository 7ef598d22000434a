"""Going on where the vendor remembers the conversation: the id of its last answer stands for all before.

Decided anew for every step, from rows alone, so that no attempt and no worker has to know what another one
has done: the first step of a turn may be chained; the next one ends in tool results, and is told whole. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from models.store.transcripts import TranscriptMessage


@dataclass(frozen=True, slots=True)
class Link:
    """Where to go on.

    Attributes:
        response_id: of the last answer, which the vendor remembers with everything before it.
        rows: system prompts, which are told anew each time, and what was said since.
    """

    response_id: str
    rows: Sequence[TranscriptMessage]


def chain_link(
    transcript: Sequence[TranscriptMessage], *, model_config_id: UUID, plan_mode: bool = False
) -> Link | None:
    """Where to go on; None if the conversation has to be told whole (spec chat-loop.md 1.15).

    The last answer must be one that the vendor remembers, made with the same configuration; everything behind
    it must be the user's; and something in that must be new to the model. So there is no link where calls are
    unanswered, or answered by results that the vendor has never seen.

    Args:
        transcript: rows as the model may see them, oldest first. Ids of answers that are not stored by the
            vendor must not be in them.
        plan_mode: turns in it are always told whole.
    """
    last = max((i for i, row in enumerate(transcript) if row.role == "assistant"), default=None)
    if last is None or plan_mode:
        return None
    answer, since = transcript[last], transcript[last + 1 :]
    if answer.provider_response_id is None or answer.model_config_id != model_config_id:
        return None
    if any(row.role != "user" or row.boundary for row in since) or not any(map(_contributes, since)):
        return None
    if any(part["type"] == "tool-call" and not part.get("provider_executed") for part in answer.parts):
        return None
    system = (row for row in transcript[:last] if row.role == "system")
    return Link(answer.provider_response_id, [*system, *since])


def _contributes(row: TranscriptMessage) -> bool:
    return any(map(_says_something, row.parts))


def _says_something(part: dict[str, Any]) -> bool:
    match part["type"]:
        case "text" | "reasoning":
            return bool(part["text"].strip())
        case "file" | "file-reference":
            return True
        case "context-file":
            return bool((part.get("content") or "").strip())
        case _:
            return False
