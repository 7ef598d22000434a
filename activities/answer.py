"""Builds an answer from the events of a model: what to show while it is written, and what to keep. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn

from activities.providers.json_text import decode_json
from activities.providers.protocol import (
    BlockEnd,
    Finish,
    FinishReason,
    ModelEvent,
    ReasoningDelta,
    ReasoningMetadata,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
)
from models.chat_state import ToolCallRef
from models.parts import Part, ReasoningPart, TextPart, ToolCallPart, dump_part

StoredPart = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer in stored form, blocks in the order the vendor opened them, and the tool calls in it."""

    parts: list[StoredPart]
    calls: list[ToolCallRef]


class AnswerBuilder:
    """Takes the events of one model call, in order.

    Attributes:
        finish: the terminal event, once it came: the answer is whole.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        """Begin with nothing.

        Args:
            clock: tells the aware time for `created_at` and `completed_at`.
        """
        self.finish: Finish | None = None
        self._clock = clock
        self._blocks: dict[int, _Text | _Reasoning | _Call] = {}

    def add(self, event: ModelEvent) -> StoredPart | None:
        """Take an event in; the part that readers are to see now, if there is one.

        Raises:
            ValueError: the event belongs to another kind of block than the one of its number.
        """
        match event:
            case TextDelta(number, text):
                return self._text(number).append(text)
            case ReasoningDelta(number, text):
                return self._reasoning(number).append(text)
            case ReasoningMetadata(number, metadata):
                self._reasoning(number).metadata.update(metadata)
                return None
            case ToolCallStart(number, call_id, name):
                self._blocks[number] = _Call(call_id, name)
                return _call_preview(call_id, name, "")
            case ToolCallDelta(number, json_text):
                return self._call(number).append(json_text)
            case BlockEnd(number):
                block = self._blocks.get(number)
                return block.end(self._clock()) if block else None
            case Finish():
                self.finish = event
                for block in self._blocks.values():
                    block.end(self._clock())
                return None

    def calls_to_run(self, reason: FinishReason) -> list[ToolCallRef]:
        """The calls the model waits for. With any other reason than `tool-calls` they are stored, not run:
        the last one may be cut off."""
        return self._calls() if reason is FinishReason.TOOL_CALLS else []

    def has_output(self) -> bool:
        """Whether there is anything to see or to run: reasoning alone is no answer."""
        return any(not isinstance(b, _Reasoning) and b.part(None) is not None for b in self._in_order())

    def finished(self) -> Kept:
        """The whole answer."""
        return self._kept(None)

    def partial(self, now: datetime) -> Kept:
        """What there is of an interrupted answer. Its calls will not be run, yet each needs a result.

        Half-written arguments are kept only if they happen to be a whole object.

        Args:
            now: when the interruption ended what was being written.
        """
        return self._kept(now)

    def _kept(self, interrupted_at: datetime | None) -> Kept:
        parts = [block.part(interrupted_at) for block in self._in_order()]
        return Kept([dump_part(part) for part in parts if part is not None], self._calls())

    def _calls(self) -> list[ToolCallRef]:
        return [ToolCallRef(id=b.call_id, name=b.name) for b in self._in_order() if isinstance(b, _Call)]

    def _in_order(self) -> "list[_Text | _Reasoning | _Call]":
        return [self._blocks[number] for number in sorted(self._blocks)]

    def _text(self, number: int) -> "_Text":
        block = self._blocks.get(number)
        if block is None:
            block = self._blocks[number] = _Text()
        return block if isinstance(block, _Text) else _mismatch(number)

    def _reasoning(self, number: int) -> "_Reasoning":
        block = self._blocks.get(number)
        if block is None:
            block = self._blocks[number] = _Reasoning(self._clock())
        return block if isinstance(block, _Reasoning) else _mismatch(number)

    def _call(self, number: int) -> "_Call":
        block = self._blocks.get(number)
        return block if isinstance(block, _Call) else _mismatch(number)


def merge(first: StoredPart, second: StoredPart) -> StoredPart | None:
    """Two parts shown one after the other, as one; None if they do not continue each other."""
    match first, second:
        case ({"type": "text" | "reasoning" as kind, "text": a}, {"type": other, "text": b}) if kind == other:
            return {"type": kind, "text": a + b}
        case (
            {"type": "tool-call", "tool_call_id": call_id, "tool_name": name, "args_delta": a},
            {"type": "tool-call", "tool_call_id": other, "args_delta": b},
        ) if call_id == other:
            return _call_preview(call_id, name, a + b)
        case _:
            return None


def _mismatch(number: int) -> NoReturn:
    raise ValueError(f"block {number} is of another kind")


@dataclass(slots=True)
class _Text:
    pieces: list[str] = field(default_factory=list[str])

    def append(self, text: str) -> StoredPart:
        self.pieces.append(text)
        return {"type": "text", "text": text}

    def end(self, now: datetime) -> None:
        pass

    def part(self, interrupted_at: datetime | None) -> Part | None:
        text = "".join(self.pieces)
        return TextPart(text=text) if text.strip() else None


@dataclass(slots=True)
class _Reasoning:
    created_at: datetime
    completed_at: datetime | None = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    pieces: list[str] = field(default_factory=list[str])

    def append(self, text: str) -> StoredPart:
        self.pieces.append(text)
        return {"type": "reasoning", "text": text}

    def end(self, now: datetime) -> None:
        self.completed_at = self.completed_at or now

    def part(self, interrupted_at: datetime | None) -> Part | None:
        text = "".join(self.pieces)
        if not text.strip() and not self.metadata:
            return None
        return ReasoningPart(
            text=text,
            created_at=self.created_at,
            completed_at=self.completed_at or interrupted_at,
            provider_metadata=self.metadata or None,
        )


@dataclass(slots=True)
class _Call:
    call_id: str
    name: str
    completed_at: datetime | None = None
    pieces: list[str] = field(default_factory=list[str])

    def append(self, json_text: str) -> StoredPart:
        self.pieces.append(json_text)
        return _call_preview(self.call_id, self.name, json_text)

    def end(self, now: datetime) -> StoredPart | None:
        if self.completed_at is not None:
            return None
        self.completed_at = now
        return dump_part(self.part(None))

    def part(self, interrupted_at: datetime | None) -> Part:
        written = "".join(self.pieces)
        whole = self.completed_at is not None
        return ToolCallPart(
            tool_call_id=self.call_id,
            tool_name=self.name,
            args=_whole_arguments(written) if whole else _object_or_none(written),
            created_at=self.completed_at,
        )


def _call_preview(call_id: str, name: str, json_text: str) -> StoredPart:
    return {"type": "tool-call", "tool_call_id": call_id, "tool_name": name, "args_delta": json_text}


def _whole_arguments(written: str) -> Any:
    """What a complete call asks: nothing written is no arguments; what is not JSON is kept as it stands."""
    if not written.strip():
        return {}
    try:
        return decode_json(written)
    except ValueError:
        return written


def _object_or_none(written: str) -> Any:
    """Arguments of a call that was cut: a number or text may be cut as well and still be JSON."""
    try:
        value = decode_json(written)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType]
