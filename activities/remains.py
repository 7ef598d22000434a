"""What readers saw of an answer whose worker has died, in the form in which an interrupted answer is kept.

A worker that dies in mid-answer leaves its parts on the live stream. Normally another attempt makes the
answer anew. Where the user stops the turn before that attempt has said anything, these parts are all there is
of the answer, and what readers saw is what is kept.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from activities.answer import AnswerBuilder, Kept
from activities.live import LiveView
from activities.providers.protocol import (
    BlockEnd,
    ModelEvent,
    ProviderResult,
    ReasoningDelta,
    Source,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
)
from models.compaction import SUMMARY_TOOL
from models.stream import Entry, Episode, Preview, PreviewPart

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """A part, and when readers were shown it."""

    at: datetime
    part: PreviewPart


async def read_remains(live: LiveView, chat_id: UUID, until: Episode, now: datetime) -> Kept | None:
    """The newest answer that was begun and never committed, on this history and not behind this attempt.

    None where there is none: no attempt has said anything, or Redis has lost it or cannot be reached. Then
    there is nothing to keep, and nothing fails for it.
    """
    try:
        kept = rebuilt(shown_last(await live.read(chat_id), until), now)
    except (KeyError, TypeError, ValueError):  # another release has written it
        log.error("unreadable parts on the live stream", chat_id=str(chat_id))
        return None
    return kept if kept.parts else None


def shown_last(entries: Iterable[tuple[datetime, Entry]], until: Episode) -> list[Shown]:
    """The parts of the newest episode of an answer, without gaps from its first one."""
    shown: dict[int, Shown] = {}
    newest = Episode(until.history_version, 0)
    for at, entry in entries:
        if not isinstance(entry, Preview) or entry.episode.history_version != until.history_version:
            continue
        if newest.newer_than(entry.episode) or entry.episode.newer_than(until):
            continue
        if entry.episode.newer_than(newest):
            newest, shown = entry.episode, {}
        shown |= {part.seq: Shown(at, part) for part in entry.parts}
    whole = [shown[seq] for seq in range(1, len(shown) + 1) if seq in shown]
    return [] if len(whole) < len(shown) or any(_is_no_answer(of.part) for of in whole) else whole


def rebuilt(shown: Sequence[Shown], now: datetime) -> Kept:
    """The answer as it was shown, cut at `now`: with the rules of any interrupted answer.

    What belongs to the vendor alone was not shown: reasoning is unsigned, and the results of the vendor's own
    tools are what people saw of them. Prompts treat both as they treat what another vendor has made.
    """
    retold = _Retold(now)
    for of in shown:
        for event in retold.events_of(of):
            retold.builder.add(event)
    return retold.builder.partial(now)


@dataclass
class _Retold:
    """The events that may have led to what was shown."""

    time: datetime
    _open: str = ""  # `text` or `reasoning`; calls end by themselves
    _number: int = -1
    _calls: dict[str, int] = field(default_factory=dict[str, int])

    def __post_init__(self) -> None:
        self.builder = AnswerBuilder(lambda: self.time)

    def events_of(self, shown: Shown) -> Iterator[ModelEvent]:
        self.time = shown.at
        part = shown.part.part
        match part["type"]:
            case "text":
                yield from self._in_block("text")
                yield TextDelta(self._number, part["text"])
            case "reasoning":
                yield from self._in_block("reasoning")
                yield ReasoningDelta(self._number, part["text"])
            case "tool-call":
                yield from self._call(part)
            case "tool-result":
                yield from self._in_block("")
                is_error = bool(part.get("is_error"))
                yield ProviderResult(
                    self._number, part["tool_call_id"], part["tool_name"], part["result"], is_error
                )
            case "source":
                if self._open != "text":
                    yield from self._in_block("text")
                    yield TextDelta(self._number, "")
                yield Source(self._number, part["url"], part.get("title"), part.get("source_id"))
            case other:
                raise ValueError(other)

    def _in_block(self, kind: str) -> Iterator[ModelEvent]:
        """Be in a block of this kind: in the one that is open, or in a new one."""
        if kind and kind == self._open:
            return
        if self._open:
            yield BlockEnd(self._number)
        self._number += 1
        self._open = kind

    def _call(self, part: dict[str, Any]) -> Iterator[ModelEvent]:
        """A piece of a call, or the whole of it behind its pieces."""
        call_id = part["tool_call_id"]
        if call_id not in self._calls:
            yield from self._in_block("")
            self._calls[call_id] = self._number
            executed = bool(part.get("provider_executed"))
            yield ToolCallStart(self._number, call_id, part["tool_name"], executed)
        number = self._calls[call_id]
        if "args_delta" in part:
            yield ToolCallDelta(number, part["args_delta"])
        else:
            yield BlockEnd(number)


def _is_no_answer(part: PreviewPart) -> bool:
    """Whether a part belongs to a compaction, or is the result of a tool of ours."""
    body = part.part
    ours = body["type"] == "tool-result" and not body.get("provider_executed")
    return ours or body.get("tool_name") == SUMMARY_TOOL
