"""One answer of the Messages API, event by event, as neutral events. Pure.

Works on decoded JSON, not on the SDK's models: building those costs more than the rest of a piece, and what a
newer API adds must pass unharmed.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from activities.providers.anthropic import kept
from activities.providers.anthropic.errors import classify_error_event
from activities.providers.anthropic.results import is_error, shown_result, sources, tool_of_result
from activities.providers.json_text import decode_json, type_of
from activities.providers.protocol import (
    BlockEnd,
    BlockMetadata,
    Finish,
    FinishReason,
    ModelCallError,
    ModelEvent,
    OpaqueBlock,
    ProviderResult,
    ReasoningDelta,
    Source,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    identifier,
)
from activities.providers.transport import UnreadableStream
from models.usage import MessagesMeter

Block = dict[str, Any]

_FINISH_REASONS = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "pause_turn": FinishReason.PAUSE,
    "refusal": FinishReason.CONTENT_FILTER,
}

_KINDS_OF_DELTAS = {
    "text_delta": "text",
    "citations_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "thinking",
    "input_json_delta": "call",
}

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Open:
    """A block that has begun: its kind, and the block as far as it is known for those kept whole."""

    kind: str
    block: Block
    whole_input: Any = None
    citations: list[Any] = field(default_factory=list[Any])
    json_text: list[str] = field(default_factory=list[str])


class MessageReader:
    """Reads one answer.

    Attributes:
        done: the terminal event came.
    """

    def __init__(self, label: str, namespace: str) -> None:
        """Begin an answer.

        Args:
            label: of the endpoint, for failures.
            namespace: name under which the vendor's metadata is kept.
        """
        self.done = False
        self._label = label
        self._namespace = namespace
        self._usage = MessagesMeter()
        self._response_id: str | None = None
        self._reason = FinishReason.UNKNOWN
        self._refusal: str | None = None
        self._metadata: dict[str, Any] = {}
        self._blocks: dict[int, _Open] = {}
        self._calls: dict[str, str] = {}
        self._last_run: int | None = None

    def read(self, data: str) -> Iterator[ModelEvent]:
        """The neutral events of one vendor event. Types that are not known bring none.

        Raises:
            ModelCallError: the event reports an error.
            UnreadableStream: it is not JSON, or a field is missing.
        """
        try:
            event = decode_json(data)
            match type_of(event):
                case "content_block_delta":
                    yield from self._delta(event["index"], event["delta"])
                case "content_block_start":
                    yield from self._start(event["index"], event["content_block"])
                case "content_block_stop":
                    yield from self._stop(event["index"])
                case "message_start":
                    message = event["message"]
                    self._response_id = message.get("id")
                    self._usage.report(message.get("usage") or {})
                    self._metadata["message"] = {k: v for k, v in message.items() if k != "content"}
                case "message_delta":
                    yield from self._end_of_message(event)
                case "message_stop":
                    self.done = True
                    yield Finish(
                        self._reason, self._usage.total, self._response_id, self._metadata, self._refusal
                    )
                case "error":
                    raise ModelCallError(classify_error_event(event, self._label))
                case other:
                    _log.debug("ignored a stream event of type %s", other)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnreadableStream(type(error).__name__) from None

    def _end_of_message(self, event: dict[str, Any]) -> Iterator[ModelEvent]:
        delta = event["delta"]
        self._reason = _FINISH_REASONS.get(delta.get("stop_reason"), FinishReason.UNKNOWN)
        self._usage.report(event.get("usage") or {})
        self._metadata["delta"] = event
        if self._reason is FinishReason.CONTENT_FILTER and (details := delta.get("stop_details")):
            self._refusal = details.get("explanation")
        container = delta.get("container")
        if container and self._last_run is not None:
            yield BlockMetadata(self._last_run, kept.container(self._namespace, container))

    def _start(self, index: int, block: Block) -> Iterator[ModelEvent]:
        if index in self._blocks:
            raise UnreadableStream("a block began twice")
        kind = _kind(block)
        opened = self._blocks[index] = _Open(kind, block)
        match kind:
            case "text":
                yield TextDelta(index, block.get("text") or "")
                for citation in block.get("citations") or ():
                    yield from self._cited(index, opened, citation)
            case "thinking":
                yield ReasoningDelta(index, block.get("thinking") or "")
                if proof := block.get("signature"):
                    yield BlockMetadata(index, kept.signature(self._namespace, proof))
            case "redacted_thinking":
                yield ReasoningDelta(index, "")
                yield BlockMetadata(index, kept.redacted(self._namespace, block["data"]))
            case "call":
                yield from self._start_call(index, opened)
            case "result":
                yield from self._result(index, block)
            case _:
                opened.kind = "unknown"
                opened.block = dict(block)

    def _start_call(self, index: int, opened: _Open) -> Iterator[ModelEvent]:
        block = opened.block
        # Some gateways leave the id out; calls and results are matched by it.
        call_id = identifier(block.get("id") or f"{self._response_id}_{index}")
        name = identifier(block["name"])
        ours = block["type"] == "tool_use"
        if not ours:
            self._calls[call_id] = name
            self._last_run = index
        yield ToolCallStart(index, call_id, name, provider_executed=not ours)
        if metadata := kept.rest_of_call(self._namespace, block):
            yield BlockMetadata(index, metadata)
        if block.get("input"):
            opened.whole_input = block["input"]

    def _result(self, index: int, block: Block) -> Iterator[ModelEvent]:
        call_id = identifier(block["tool_use_id"])
        self._last_run = index
        content = block.get("content")
        yield ProviderResult(
            index,
            call_id,
            self._calls.get(call_id) or tool_of_result(block["type"]),
            shown_result(content),
            is_error(block),
            kept.whole_block(self._namespace, block),
        )
        for url, title in sources(content):
            yield Source(index, url, title)

    def _delta(self, index: int, delta: dict[str, Any]) -> Iterator[ModelEvent]:
        opened = self._blocks.get(index)
        if opened is None:
            return
        if opened.kind == "unknown":
            _grow(opened, delta)
            return
        if _KINDS_OF_DELTAS.get(delta["type"], opened.kind) != opened.kind:
            raise UnreadableStream("a delta does not fit its block")
        match delta["type"]:
            case "text_delta":
                yield TextDelta(index, delta["text"])
            case "citations_delta":
                yield from self._cited(index, opened, delta["citation"])
            case "thinking_delta":
                yield ReasoningDelta(index, delta["thinking"])
            case "signature_delta":
                if proof := delta["signature"]:
                    yield BlockMetadata(index, kept.signature(self._namespace, proof))
            case "input_json_delta":
                if delta["partial_json"]:
                    opened.whole_input = None
                    yield ToolCallDelta(index, delta["partial_json"])
            case other:
                _log.debug("ignored a content delta of type %s", other)

    def _cited(self, index: int, opened: _Open, citation: Any) -> Iterator[ModelEvent]:
        opened.citations.append(citation)
        yield BlockMetadata(index, kept.citations(self._namespace, list(opened.citations)))
        for url, title in sources(citation):
            yield Source(index, url, title)

    def _stop(self, index: int) -> Iterator[ModelEvent]:
        opened = self._blocks.get(index)
        if opened is None:
            return
        if opened.kind == "unknown":
            yield OpaqueBlock(index, kept.whole_block(self._namespace, _grown(opened)))
        if opened.whole_input:
            yield ToolCallDelta(index, orjson.dumps(opened.whole_input).decode())
            opened.whole_input = None
        yield BlockEnd(index)


def _kind(block: Block) -> str:
    """Tools of the vendor have types of many names, and new ones come; their ends tell what they are."""
    block_type: str = block["type"]
    if block_type in ("text", "thinking", "redacted_thinking"):
        return block_type
    if block_type.endswith("tool_use"):
        return "call"
    if block_type.endswith("_tool_result") and block.get("tool_use_id"):
        return "result"
    return "unknown"


def _grow(opened: _Open, delta: dict[str, Any]) -> None:
    """Add a delta to a block nobody here knows: texts go on, lists too, and what else there is replaces."""
    for key, value in delta.items():
        before = opened.block.get(key)
        if key == "type":
            continue
        if key == "partial_json":
            opened.json_text.append(value)
        elif isinstance(value, str) and isinstance(before, str):
            opened.block[key] = before + value
        elif isinstance(value, list) and isinstance(before, list):
            opened.block[key] = [*before, *value]
        else:
            opened.block[key] = value


def _grown(opened: _Open) -> Block:
    """The whole of it: an input that came in pieces is decoded."""
    written = "".join(opened.json_text)
    return opened.block | {"input": decode_json(written)} if written else opened.block
