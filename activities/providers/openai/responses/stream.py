"""The event stream of the Responses API as neutral events.

Works on decoded JSON, not on the SDK's models: building those costs more than the rest of a piece, and what a
newer API adds must pass unharmed. The events tell the same thing several times, in pieces and whole; what
comes whole is taken only where pieces are missing.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from activities.providers.json_text import as_list, as_object, decode_json, type_of
from activities.providers.openai.errors import classify_error_object
from activities.providers.openai.responses.hosted import HOSTED, asked, failed, found
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
from models.usage import responses_usage

BLOCKS_PER_ITEM = 1024
"""Blocks are numbered in the order of items, and within one in the order of its contents."""

_REASONS = {
    "max_output_tokens": FinishReason.LENGTH,
    "max_messages": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
}

_PARAGRAPH = "\n\n"
_ALREADY_IN_THE_PART = frozenset({"type", "call_id", "name", "arguments", "status"})

Item = dict[str, Any]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Open:
    """An item while it is written.

    Attributes:
        told: number of characters seen, by block.
        paragraphs: of reasoning, that have begun.
    """

    kind: str
    told: dict[int, int] = field(default_factory=dict[int, int])
    paragraphs: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    done: bool = False


class ResponseReader:
    """Reads one answer, event by event. Pure. Implements `EventReader`."""

    def __init__(self, label: str, namespace: str, *, stored: bool) -> None:
        """Begin with nothing.

        Args:
            label: short name in failures.
            namespace: under which is stored what the vendor wants back.
            stored: the vendor was asked to store the answer.
        """
        self.done = False
        self._label = label
        self._namespace = namespace
        self._stored = stored
        self._items: dict[int, _Open] = {}
        self._told: set[str] = set()
        self._unannounced: set[int] = set()

    def read(self, data: str) -> Iterator[ModelEvent]:
        """See `EventReader`. Types of events that are not known bring none."""
        if data == "[DONE]":  # of servers that end every stream so
            return
        try:
            event = decode_json(data)
            yield from self._event(event)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnreadableStream(type(error).__name__) from None

    def end(self) -> Iterator[ModelEvent]:
        """There is no answer without its terminal event."""
        return iter(())

    def _event(self, event: Item) -> Iterator[ModelEvent]:
        match type_of(event):
            case "response.output_text.delta" | "response.refusal.delta":
                yield from self._say(event["output_index"], event["content_index"], event["delta"])
            case "response.reasoning_summary_text.delta":
                yield from self._think(event, "summary", event["summary_index"])
            case "response.reasoning_text.delta":
                yield from self._think(event, "content", event["content_index"])
            case "response.function_call_arguments.delta":
                yield from self._argue(event["output_index"], event["delta"])
            case "response.output_item.added":
                yield from self._begin(event["output_index"], event["item"])
            case "response.output_item.done":
                yield from self._complete(event["output_index"], event["item"])
            case "response.output_text.annotation.added":
                yield from self._cite(event["output_index"], event["content_index"], event["annotation"])
            case "response.completed" | "response.incomplete":
                yield from self._finish(event["response"])
            case "response.failed" | "response.cancelled":
                raise ModelCallError(classify_error_object(event["response"].get("error"), self._label))
            case "error":
                raise ModelCallError(classify_error_object(event.get("error") or event, self._label))
            case other:
                _log.debug("ignored a stream event of type %s", other)

    def _item(self, index: int, kind: str) -> _Open:
        return self._items.setdefault(index, _Open(kind))

    def _say(self, index: int, content: int, text: str) -> Iterator[ModelEvent]:
        block = _block(index, content)
        told = self._item(index, "message").told
        told[block] = told.get(block, 0) + len(text)
        yield TextDelta(block, text)

    def _think(self, event: Item, of: str, paragraph: int) -> Iterator[ModelEvent]:
        index, text = event["output_index"], event["delta"]
        item = self._item(index, "reasoning")
        if (of, paragraph) not in item.paragraphs:
            item.paragraphs.add((of, paragraph))
            if len(item.paragraphs) > 1:
                text = _PARAGRAPH + text
        yield ReasoningDelta(_block(index), text)

    def _argue(self, index: int, json_text: str) -> Iterator[ModelEvent]:
        """A piece of arguments. Of a call that nobody has announced it is not known what is missing: they are
        taken from its end, where they are whole."""
        if index not in self._items:
            self._unannounced.add(index)
        if index not in self._unannounced and not self._items[index].done:
            yield from self._write(index, json_text)

    def _write(self, index: int, json_text: str) -> Iterator[ModelEvent]:
        told = self._items[index].told
        told[0] = told.get(0, 0) + len(json_text)
        if json_text:
            yield ToolCallDelta(_block(index), json_text)

    def _begin(self, index: int, item: Item) -> Iterator[ModelEvent]:
        if index in self._items:
            return
        kind = item["type"]
        self._items[index] = _Open(kind)
        if kind == "reasoning":
            yield ReasoningDelta(_block(index), "")
        elif kind == "function_call":
            call_id = item.get("call_id") or item["id"]
            yield ToolCallStart(_block(index), identifier(call_id), identifier(item["name"]))
        elif kind in HOSTED:
            name = HOSTED[kind].name
            yield ToolCallStart(_block(index), identifier(item["id"]), name, provider_executed=True)

    def _complete(self, index: int, item: Item) -> Iterator[ModelEvent]:
        yield from self._begin(index, item)
        opened = self._items[index]
        if opened.done:
            return
        opened.done = True
        self._told.add(item.get("id") or "")
        match item["type"]:
            case "message":
                yield from self._end_message(index, item)
            case "reasoning":
                yield from self._end_reasoning(index, item)
            case "function_call":
                yield from self._end_call(index, item)
            case kind if kind in HOSTED:
                yield from self._end_hosted(index, item)
            case _:
                yield OpaqueBlock(_block(index), self._own({"block": item}))

    def _end_message(self, index: int, item: Item) -> Iterator[ModelEvent]:
        for place, part in enumerate(as_list(item.get("content"))):
            block = _block(index, place)
            refusal = part["type"] == "refusal"
            if not self._items[index].told.get(block):
                yield from self._say(index, place, part.get("refusal" if refusal else "text") or "")
            annotations = as_list(part.get("annotations"))
            for annotation in annotations:
                yield from self._cite(index, place, annotation)
            entries = {
                **self._identity(item),
                **({"phase": item["phase"]} if item.get("phase") else {}),
                **({"refusal": True} if refusal else {}),
                **({"annotations": annotations} if annotations else {}),
            }
            if entries:
                yield BlockMetadata(block, self._own(entries))
            yield BlockEnd(block)

    def _end_reasoning(self, index: int, item: Item) -> Iterator[ModelEvent]:
        block = _block(index)
        if not self._items[index].paragraphs:
            parts = as_list(item.get("summary")) or as_list(item.get("content"))
            if text := _PARAGRAPH.join(part.get("text") or "" for part in parts):
                yield ReasoningDelta(block, text)
        yield BlockMetadata(block, self._own({"block": item, "stored": self._stored}))
        yield BlockEnd(block)

    def _end_call(self, index: int, item: Item) -> Iterator[ModelEvent]:
        block = _block(index)
        written = item.get("arguments")
        if written and not self._items[index].told.get(0):
            yield from self._write(index, written)
        extra = {key: value for key, value in item.items() if key not in _ALREADY_IN_THE_PART | {"id"}}
        yield BlockMetadata(block, self._own({**self._identity(item), **_present(extra)}))
        yield BlockEnd(block)

    def _end_hosted(self, index: int, item: Item) -> Iterator[ModelEvent]:
        block, name = _block(index), HOSTED[item["type"]].name
        yield ToolCallDelta(block, orjson.dumps(asked(item)).decode())
        yield BlockMetadata(block, self._own({"id": item["id"]}))
        yield BlockEnd(block)
        yield ProviderResult(
            _block(index, 1),
            identifier(item["id"]),
            name,
            found(item),
            is_error=failed(item),
            metadata=self._own({"block": item}),
        )

    def _cite(self, index: int, content: int, annotation: Item) -> Iterator[ModelEvent]:
        if annotation.get("type") != "url_citation" or not annotation.get("url"):
            return
        if _block(index, content) not in self._item(index, "message").told:
            yield from self._say(index, content, "")
        yield Source(_block(index, content), annotation["url"], annotation.get("title") or None)

    def _finish(self, response: Item) -> Iterator[ModelEvent]:
        for index, item in enumerate(as_list(response.get("output"))):
            # What was not told before: some servers send the end only.
            if item.get("id") is None or item["id"] not in self._told:
                yield from self._complete(index, item)
        self.done = True
        metadata = {
            key: value for key, value in response.items() if key not in ("output", "instructions", "tools")
        }
        response_id = response.get("id") if self._stored else None
        yield Finish(
            self._reason(response), responses_usage(as_object(response.get("usage"))), response_id, metadata
        )

    def _reason(self, response: Item) -> FinishReason:
        if response.get("status") == "incomplete":
            why = str(as_object(response.get("incomplete_details")).get("reason"))
            return _REASONS.get(why, FinishReason.UNKNOWN)
        if any(item.kind == "function_call" for item in self._items.values()):
            return FinishReason.TOOL_CALLS
        return FinishReason.STOP

    def _identity(self, item: Item) -> Item:
        return {"id": item["id"], "stored": self._stored} if item.get("id") else {}

    def _own(self, entries: Item) -> dict[str, Item]:
        return {self._namespace: entries}


def _block(index: int, content: int = 0) -> int:
    return index * BLOCKS_PER_ITEM + content


def _present(entries: Item) -> Item:
    return {key: value for key, value in entries.items() if value is not None}
