"""Builds an answer from the events of a model: what to show while it is written, and what to keep. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar

from activities.blocks import (
    Block,
    CallBlock,
    ReasoningBlock,
    ResultBlock,
    StoredPart,
    TextBlock,
    UnknownBlock,
)
from activities.providers.protocol import (
    BlockEnd,
    BlockMetadata,
    Finish,
    FinishReason,
    ModelEvent,
    OpaqueBlock,
    ProviderResult,
    ReasoningDelta,
    Source,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
)
from models.chat_state import ToolCallRef
from models.parts import Part, SourcePart, dump_part

_Kind = TypeVar("_Kind", bound=Block)


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer in stored form, blocks in the order the vendor opened them, and those tool calls in it that
    the vendor does not run itself."""

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
        self._blocks: dict[int, Block] = {}
        self._addresses: set[str] = set()

    def add(self, event: ModelEvent) -> StoredPart | None:
        """Take an event in; the part that readers are to see now, if there is one.

        Raises:
            ValueError: the event belongs to another kind of block than the one of its number, or to none.
        """
        match event:
            case TextDelta(number, text):
                return self._open(number, TextBlock, TextBlock).append(text)
            case ReasoningDelta(number, text):
                return self._open(number, ReasoningBlock, self._new_reasoning).append(text)
            case BlockMetadata(number, metadata):
                self._block(number, Block).annotate(metadata)
                return None
            case ToolCallStart():
                return self._start_call(event)
            case ToolCallDelta(number, json_text):
                return self._block(number, CallBlock).append(json_text)
            case ProviderResult():
                return self._take_result(event)
            case Source():
                return self._take_source(event)
            case OpaqueBlock(number, metadata):
                self._blocks[number] = UnknownBlock()
                self._blocks[number].annotate(metadata)
                return None
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
        return any(block.is_output for block in self._blocks.values())

    def finished(self) -> Kept:
        """The whole answer."""
        return self._kept(self._in_order(), None)

    def partial(self, now: datetime) -> Kept:
        """What there is of an interrupted answer. Its calls will not be run, yet each needs a result.

        Half-written arguments are kept only if they happen to be a whole object. A call that the vendor was
        running is left out, because nobody can make up its result.

        Args:
            now: when the interruption ended what was being written.
        """
        blocks = self._in_order()
        answered = {block.call_id for block in blocks if isinstance(block, ResultBlock)}
        return self._kept([block for block in blocks if not _waits_for_vendor(block, answered)], now)

    def _kept(self, blocks: list[Block], interrupted_at: datetime | None) -> Kept:
        return Kept([dump_part(part) for part in _parts(blocks, interrupted_at)], self._calls())

    def _calls(self) -> list[ToolCallRef]:
        calls = (block for block in self._in_order() if isinstance(block, CallBlock))
        return [ToolCallRef(id=call.call_id, name=call.name) for call in calls if not call.provider_executed]

    def _in_order(self) -> list[Block]:
        return [self._blocks[number] for number in sorted(self._blocks)]

    def _start_call(self, event: ToolCallStart) -> StoredPart:
        others = (b for number, b in self._blocks.items() if number != event.block)
        taken = {block.call_id for block in others if isinstance(block, CallBlock)}
        call_id = event.call_id if event.provider_executed else _unused(event.call_id, taken)
        call = CallBlock(call_id=call_id, name=event.name, provider_executed=event.provider_executed)
        self._blocks[event.block] = call
        return call.append("")

    def _take_result(self, event: ProviderResult) -> StoredPart:
        block = ResultBlock(
            call_id=event.call_id,
            name=event.name,
            result=event.result,
            is_error=event.is_error,
            created_at=self._clock(),
        )
        block.annotate(event.metadata)
        self._blocks[event.block] = block
        return block.shown()

    def _take_source(self, event: Source) -> StoredPart | None:
        block = self._block(event.block, Block)
        if event.url in self._addresses:
            return None
        self._addresses.add(event.url)
        source = SourcePart(source_id=event.source_id, url=event.url, title=event.title)
        block.sources.append(source)
        return dump_part(source)

    def _new_reasoning(self) -> ReasoningBlock:
        return ReasoningBlock(created_at=self._clock())

    def _open(self, number: int, kind: type[_Kind], make: Callable[[], _Kind]) -> _Kind:
        if number not in self._blocks:
            self._blocks[number] = make()
        return self._block(number, kind)

    def _block(self, number: int, kind: type[_Kind]) -> _Kind:
        block = self._blocks.get(number)
        if not isinstance(block, kind):
            raise ValueError(f"block {number} is of another kind")
        return block


def shown_as(part: StoredPart) -> Literal["assistant", "tool"]:
    """The role under which a part of an answer is published."""
    return "tool" if part["type"] == "tool-result" else "assistant"


def merge(first: StoredPart, second: StoredPart) -> StoredPart | None:
    """Two parts shown one after the other, as one; None if they do not continue each other."""
    match first, second:
        case ({"type": "text" | "reasoning" as kind, "text": a}, {"type": other, "text": b}) if kind == other:
            return {"type": kind, "text": a + b}
        case (
            {"type": "tool-call", "tool_call_id": call_id, "args_delta": a},
            {"type": "tool-call", "tool_call_id": other, "args_delta": b},
        ) if call_id == other:
            return {**first, "args_delta": a + b}
        case _:
            return None


def _parts(blocks: list[Block], interrupted_at: datetime | None) -> Iterator[Part]:
    for block in blocks:
        part = block.part(interrupted_at)
        if part is not None:
            yield part
        yield from block.sources


def _waits_for_vendor(block: Block, answered: set[str]) -> bool:
    return isinstance(block, CallBlock) and block.provider_executed and block.call_id not in answered


def _unused(call_id: str, taken: set[str]) -> str:
    """The id, or one like it: some servers give all calls of an answer the same."""
    number, candidate = 1, call_id
    while candidate in taken:
        number += 1
        candidate = f"{call_id}_{number}"
    return candidate
