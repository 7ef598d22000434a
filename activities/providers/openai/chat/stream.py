"""The chunks of the Chat Completions API as neutral events.

Chunks number nothing but tool calls: text and reasoning are one block each until something else begins. Works
on decoded JSON, and leniently: what servers leave out or add differs.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from activities.providers.json_text import as_list, as_object, decode_json
from activities.providers.openai.chat.details import ReasoningDetails
from activities.providers.openai.errors import classify_error_object
from activities.providers.openai.profiles import Profile
from activities.providers.protocol import (
    BlockEnd,
    BlockMetadata,
    Finish,
    FinishReason,
    ModelCallError,
    ModelEvent,
    OpaqueBlock,
    ReasoningDelta,
    Source,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
    identifier,
)
from activities.providers.transport import UnreadableStream
from models.usage import chat_usage

_REASONS = {
    "stop": FinishReason.STOP,
    "end_turn": FinishReason.STOP,
    "eos": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
}

_FIELDS = frozenset(
    {
        "annotations", "content", "extra_content", "reasoning", "reasoning_content", "reasoning_details",
        "refusal", "role", "tool_calls",
    }
)  # fmt: skip
"""What is read of a delta."""

Chunk = dict[str, Any]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Call:
    """A call while it is written. It begins when its name is known; the rest may come before."""

    block: int
    call_id: str | None
    name: str = ""
    begun: bool = False
    early: list[str] = field(default_factory=list[str])
    extra: Any = None


class ChunkReader:
    """Reads one answer, chunk by chunk. Pure. Implements `EventReader`."""

    def __init__(self, label: str, profile: Profile) -> None:
        """Begin with nothing.

        Args:
            label: under which is stored what the vendor wants back.
        """
        self.done = False
        self._label = label
        self._profile = profile
        self._next_block = 0
        self._open: tuple[str, int] | None = None
        self._calls: dict[int, _Call] = {}
        self._reasoning_block: int | None = None
        self._details = ReasoningDetails()
        self._response_id: str | None = None
        self._reason: str | None = None
        self._usage = Usage()
        self._metadata: Chunk = {}
        self._unknown: set[str] = set()

    def read(self, data: str) -> Iterator[ModelEvent]:
        """See `EventReader`."""
        if data.startswith("[DONE]"):
            yield from self._finish()
            return
        try:
            yield from self._chunk(decode_json(data))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnreadableStream(type(error).__name__) from None

    def end(self) -> Iterator[ModelEvent]:
        """Some servers leave the last word out: a reason to finish is enough then."""
        if self._reason is not None:
            yield from self._finish()

    def _chunk(self, chunk: Chunk) -> Iterator[ModelEvent]:
        if error := chunk.get("error"):
            raise ModelCallError(classify_error_object(error, self._label))
        self._response_id = self._response_id or chunk.get("id") or None
        usage = chunk.get("usage") or as_object(chunk.get("x_groq")).get("usage")
        if usage:
            self._usage = chat_usage(usage)
        self._metadata |= {key: value for key, value in chunk.items() if key not in ("choices", "usage")}
        for choice in as_list(chunk.get("choices")):
            if choice.get("index") or 0:
                continue  # only one answer was asked for
            yield from self._delta(as_object(choice.get("delta")))
            self._reason = choice.get("finish_reason") or self._reason
        yield from self._cite(as_list(chunk.get("citations")))

    def _delta(self, delta: Chunk) -> Iterator[ModelEvent]:
        self._mind(delta)
        yield from self._think(delta)
        yield from self._say(delta.get("content"))
        if (extra := delta.get("extra_content")) and self._open is not None:
            yield self._noted(self._open_block, {"extra_content": extra})
        if refusal := delta.get("refusal"):
            yield from self._switch("refusal")
            yield TextDelta(self._open_block, refusal)
            yield self._noted(self._open_block, {"refusal": True})
        for place, piece in enumerate(as_list(delta.get("tool_calls"))):
            yield from self._call(place, piece)
        cited = (annotation.get("url_citation") for annotation in as_list(delta.get("annotations")))
        yield from self._cite(citation for citation in cited if citation)

    def _mind(self, delta: Chunk) -> None:
        """Name what is not kept, once: which fields go back differs from server to server."""
        unknown = delta.keys() - _FIELDS - self._unknown
        if unknown:
            self._unknown |= unknown
            _log.info("fields of an answer are not known, and not kept: %s", sorted(unknown)[:10])

    def _say(self, content: Any) -> Iterator[ModelEvent]:
        """Most servers send text plain, some a list of parts, and some of these hold reasoning."""
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else as_list(content)
        for part in parts:
            match part.get("type"):
                case "text":
                    if part.get("text"):
                        yield from self._switch("text")
                        yield TextDelta(self._open_block, part["text"])
                case "thinking":
                    yield from self._reasoned("".join(inner["text"] for inner in as_list(part["thinking"])))
                case _:
                    yield from self._switch(None)
                    yield OpaqueBlock(self._number(), {self._label: {"block": part}})

    def _reasoned(self, text: str) -> Iterator[ModelEvent]:
        yield from self._switch("reasoning")
        self._reasoning_block = self._open_block
        yield ReasoningDelta(self._open_block, text)

    def _think(self, delta: Chunk) -> Iterator[ModelEvent]:
        text = next((delta[name] for name in self._profile.reasoning if delta.get(name)), "")
        pieces = as_list(delta.get("reasoning_details"))
        told = self._details.add(pieces)
        text = text or told
        # A proof may come without a word before it.
        if text or (pieces and self._reasoning_block is None):
            yield from self._reasoned(text)

    def _call(self, place: int, piece: Chunk) -> Iterator[ModelEvent]:
        index = piece.get("index")
        if index is None:
            index = place
        function = as_object(piece.get("function"))
        call = self._calls.get(index)
        if call is None or _is_another(call, piece):
            if call is not None:
                yield BlockEnd(call.block)
            yield from self._switch(None)
            call = self._calls[index] = _Call(self._number(), piece.get("id") or None)
        call.call_id = call.call_id or piece.get("id") or None
        call.name = call.name or function.get("name") or ""
        written = function.get("arguments") or ""
        if not isinstance(written, str):
            written = orjson.dumps(written).decode()
        call.extra = piece.get("extra_content") or call.extra
        yield from self._write(call, written)
        if call.begun and call.extra:
            yield self._noted(call.block, {"extra_content": call.extra})
            call.extra = None

    def _write(self, call: _Call, written: str) -> Iterator[ModelEvent]:
        if not call.name:
            call.early.append(written)
            return
        if not call.begun:
            call.begun = True
            # Some servers leave the id out; calls and results are matched by it.
            call_id = call.call_id or f"{self._response_id}_{call.block}"
            yield ToolCallStart(call.block, identifier(call_id), identifier(call.name))
            written = "".join(call.early) + written
        if written:
            yield ToolCallDelta(call.block, written)

    def _cite(self, citations: Iterable[Any]) -> Iterator[ModelEvent]:
        for citation in citations:
            url = citation if isinstance(citation, str) else citation.get("url")
            title = None if isinstance(citation, str) else citation.get("title")
            if url:
                if self._open is None or self._open[0] != "text":
                    yield from self._switch("text")
                    yield TextDelta(self._open_block, "")
                yield Source(self._open_block, url, title or None)

    def _finish(self) -> Iterator[ModelEvent]:
        yield from self._switch(None)
        for call in self._calls.values():
            if call.begun:
                yield BlockEnd(call.block)
        yield from self._note_reasoning()
        self.done = True
        yield Finish(self._finish_reason(), self._usage, self._response_id, self._metadata)

    def _finish_reason(self) -> FinishReason:
        reason = _REASONS.get(self._reason or "", FinishReason.UNKNOWN)
        # Many servers say that they stopped where they wait for their calls.
        if reason is FinishReason.STOP and any(call.begun for call in self._calls.values()):
            return FinishReason.TOOL_CALLS
        return reason

    def _switch(self, kind: str | None) -> Iterator[ModelEvent]:
        """Have a block of this kind open, or none."""
        if self._open is not None:
            open_kind, block = self._open
            if open_kind == kind:
                return
            if open_kind == "reasoning":
                yield from self._note_reasoning()
            yield BlockEnd(block)
        self._open = None if kind is None else (kind, self._number())

    def _note_reasoning(self) -> Iterator[ModelEvent]:
        """What goes back with the reasoning so far; more of it may come with what it led to."""
        if self._reasoning_block is not None:
            details = self._details.whole
            entries = {
                "field": self._profile.reasoning[0],
                **({"reasoning_details": details} if details else {}),
            }
            yield self._noted(self._reasoning_block, entries)

    @property
    def _open_block(self) -> int:
        assert self._open is not None
        return self._open[1]

    def _number(self) -> int:
        self._next_block += 1
        return self._next_block - 1

    def _noted(self, block: int, entries: Chunk) -> BlockMetadata:
        return BlockMetadata(block, {self._label: entries})


def _is_another(call: _Call, piece: Chunk) -> bool:
    """Whether a piece with the number of a call begins another one: some servers give all the same."""
    named = as_object(piece.get("function")).get("name")
    return bool(piece.get("id") and call.call_id and piece["id"] != call.call_id and named)
