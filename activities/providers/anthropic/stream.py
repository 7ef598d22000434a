"""The vendor's event stream as neutral events.

Works on decoded JSON, not on the SDK's models: building those costs more than the rest of a piece, and what a
newer API adds must pass unharmed.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import httpx2
import orjson
from anthropic import AsyncStream

from activities.providers.anthropic.errors import classify_error_event
from activities.providers.anthropic.signing import redacted, signed
from activities.providers.anthropic.usage import UsageMeter
from activities.providers.failures import ended_early
from activities.providers.json_text import decode_json
from activities.providers.protocol import (
    BlockEnd,
    BlockMetadata,
    Finish,
    FinishReason,
    ModelCallError,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    identifier,
)
from activities.providers.transport import UnreadableStream

DRAIN_SECONDS = 1.0
"""How long to wait, behind the last event, for the end of the body that makes a connection reusable."""

_FINISH_REASONS = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.CONTENT_FILTER,
}

_BLOCKS_OF_DELTAS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "thinking",
    "input_json_delta": "tool_use",
}

_log = logging.getLogger(__name__)


async def read_events(response: httpx2.Response, vendor: str) -> AsyncGenerator[ModelEvent]:
    """The events of an answer, up to and including `Finish`.

    Args:
        vendor: label under which signatures of this endpoint are stored.

    Raises:
        ModelCallError: the stream brought an error, or ended without its terminal event.
        UnreadableStream: an event is not what the protocol says.
        httpx2.HTTPError: the connection failed.
    """
    reader = MessageReader(vendor)
    frames = AsyncStream.raw_events(response)
    async for frame in frames:
        if frame.event == "ping" or not frame.data:
            continue
        for event in reader.read(frame.data):
            yield event
        if reader.done:
            # The answer is whole: whatever happens to the connection now is of no concern.
            with contextlib.suppress(httpx2.HTTPError, TimeoutError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    async for _ in frames:
                        pass
            return
    raise ModelCallError(ended_early(vendor))


class MessageReader:
    """Reads one answer, event by event. Pure."""

    def __init__(self, vendor: str) -> None:
        self.done = False
        self._vendor = vendor
        self._usage = UsageMeter()
        self._response_id: str | None = None
        self._reason = FinishReason.UNKNOWN
        self._metadata: dict[str, Any] = {}
        self._kinds: dict[int, str] = {}
        self._whole_inputs: dict[int, dict[str, Any]] = {}

    def read(self, data: str) -> Iterator[ModelEvent]:
        """The neutral events of one vendor event. Types that are not known bring none.

        Raises:
            ModelCallError: the event reports an error.
            UnreadableStream: it is not JSON, or a field is missing.
        """
        try:
            event = decode_json(data)
            match event["type"]:
                case "content_block_delta":
                    yield from self._delta(event["index"], event["delta"])
                case "content_block_start":
                    yield from self._start(event["index"], event["content_block"])
                case "content_block_stop":
                    yield from self._stop(event["index"])
                case "message_start":
                    self._response_id = event["message"].get("id")
                    self._usage.report(event["message"].get("usage") or {})
                    self._metadata["message"] = {k: v for k, v in event["message"].items() if k != "content"}
                case "message_delta":
                    self._reason = _FINISH_REASONS.get(
                        event["delta"].get("stop_reason"), FinishReason.UNKNOWN
                    )
                    self._usage.report(event.get("usage") or {})
                    self._metadata["delta"] = event
                case "message_stop":
                    self.done = True
                    yield Finish(self._reason, self._usage.total, self._response_id, self._metadata)
                case "error":
                    raise ModelCallError(classify_error_event(event, self._vendor))
                case other:
                    _log.debug("ignored a stream event of type %s", other)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnreadableStream(type(error).__name__) from None

    def _start(self, index: int, block: dict[str, Any]) -> Iterator[ModelEvent]:
        if index in self._kinds:
            raise UnreadableStream("a block began twice")
        match block["type"]:
            case "text":
                if text := block.get("text"):
                    yield TextDelta(index, text)
            case "thinking":
                yield ReasoningDelta(index, block.get("thinking") or "")
                if signature := block.get("signature"):
                    yield BlockMetadata(index, signed(self._vendor, signature))
            case "redacted_thinking":
                yield ReasoningDelta(index, "")
                yield BlockMetadata(index, redacted(self._vendor, block["data"]))
            case "tool_use":
                # Some gateways leave the id out; calls and results are matched by it.
                call_id = block.get("id") or f"{self._response_id}_{index}"
                yield ToolCallStart(index, identifier(call_id), identifier(block["name"]))
                if block.get("input"):
                    self._whole_inputs[index] = block["input"]
            case other:
                _log.debug("ignored a content block of type %s", other)
                return
        self._kinds[index] = block["type"]

    def _delta(self, index: int, delta: dict[str, Any]) -> Iterator[ModelEvent]:
        kind = self._kinds.get(index)
        if kind is None:
            return
        if _BLOCKS_OF_DELTAS.get(delta["type"], kind) != kind:
            raise UnreadableStream("a delta does not fit its block")
        match delta["type"]:
            case "text_delta":
                yield TextDelta(index, delta["text"])
            case "thinking_delta":
                yield ReasoningDelta(index, delta["thinking"])
            case "signature_delta":
                if signature := delta["signature"]:
                    yield BlockMetadata(index, signed(self._vendor, signature))
            case "input_json_delta":
                if delta["partial_json"]:
                    self._whole_inputs.pop(index, None)
                    yield ToolCallDelta(index, delta["partial_json"])
            case other:
                _log.debug("ignored a content delta of type %s", other)

    def _stop(self, index: int) -> Iterator[ModelEvent]:
        if index not in self._kinds:
            return
        if whole := self._whole_inputs.pop(index, None):
            yield ToolCallDelta(index, orjson.dumps(whole).decode())
        yield BlockEnd(index)
