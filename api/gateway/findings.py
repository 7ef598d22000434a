"""What an answer says about itself, read from events or from a whole body: one reader per route of a vendor.

Readers are given what has passed already. They keep names and counts and nothing that was said.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

import orjson

from api.gateway.sse import ServerEvent
from api.gateway.wires import CHAT_COMPLETIONS, MESSAGES, RESPONSES, Endpoint
from models.store.gateway_calls import ToolUse
from models.usage import MessagesMeter, Usage, chat_usage, responses_usage

MAX_TOOL_CALLS = 200
_MAX_NAME = 128
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")

Json = Mapping[str, Any]


class Findings(Protocol):
    """What is known so far.

    Attributes:
        response_id: the vendor's name for the answer.
        whole: the answer has come to its end.
        failed: the vendor has said that there will be none.
    """

    response_id: str | None
    whole: bool
    failed: bool

    @property
    def usage(self) -> Usage | None:
        """The tokens; None where they were not told."""
        ...

    @property
    def tool_calls(self) -> Sequence[ToolUse]:
        """The tools that were asked for, each once."""
        ...

    def read_event(self, event: ServerEvent) -> None:
        """Take note of an event of a stream."""
        ...

    def read_body(self, body: bytes) -> None:
        """Take note of an answer that came in one piece."""
        ...


class _Reader:
    def __init__(self) -> None:
        self.response_id: str | None = None
        self.whole = False
        self.failed = False
        self._tools: dict[str, ToolUse] = {}

    @property
    def tool_calls(self) -> Sequence[ToolUse]:
        return tuple(self._tools.values())

    def _named(self, response_id: Any) -> None:
        if isinstance(response_id, str) and response_id:
            self.response_id = _readable(response_id)

    def _asks_for(self, call_id: Any, name: Any, *, provider_executed: bool) -> None:
        if isinstance(call_id, str) and isinstance(name, str) and len(self._tools) < MAX_TOOL_CALLS:
            tool = ToolUse(_readable(call_id), _readable(name), provider_executed)
            self._tools.setdefault(tool.id, tool)


class MessagesFindings(_Reader):
    """Of Anthropic's Messages. The pieces of the answer itself are not decoded."""

    def __init__(self) -> None:
        super().__init__()
        self._meter = MessagesMeter()
        self._told = False

    @property
    def usage(self) -> Usage | None:
        return self._meter.total if self._told else None

    def read_event(self, event: ServerEvent) -> None:
        match event.name:
            case "message_start":
                self._begin(_object(_decoded(event.data).get("message")))
            case "content_block_start":
                self._block(_object(_decoded(event.data).get("content_block")))
            case "message_delta":
                self._count(_decoded(event.data).get("usage"))
            case "message_stop":
                self.whole = True
            case "error":
                self.failed = True
            case _:
                pass

    def read_body(self, body: bytes) -> None:
        message = _decoded(body)
        self._begin(message)
        for block in _objects(message.get("content")):
            self._block(block)
        self.whole = True

    def _begin(self, message: Json) -> None:
        self._named(message.get("id"))
        self._count(message.get("usage"))

    def _count(self, usage: Any) -> None:
        if isinstance(usage, dict):
            self._meter.report(cast("dict[str, Any]", usage))
            self._told = True

    def _block(self, block: Json) -> None:
        kind = str(block.get("type", ""))
        if kind.endswith("tool_use"):  # `tool_use`, `server_tool_use`, `mcp_tool_use`
            self._asks_for(block.get("id"), block.get("name"), provider_executed=kind != "tool_use")


class ResponsesFindings(_Reader):
    """Of OpenAI's Responses. The last event repeats the whole answer."""

    _TELLING = {
        "error",
        "response.completed",
        "response.created",
        "response.failed",
        "response.incomplete",
        "response.output_item.added",
    }

    def __init__(self) -> None:
        super().__init__()
        self.usage: Usage | None = None

    def read_event(self, event: ServerEvent) -> None:
        if event.name and event.name not in self._TELLING:
            return
        told = _decoded(event.data)
        match event.name or told.get("type"):
            case "response.created":
                self._named(_object(told.get("response")).get("id"))
            case "response.output_item.added":
                self._item(_object(told.get("item")))
            case "response.completed" | "response.incomplete" | "response.failed":
                self._read(_object(told.get("response")))
            case "error":
                self.failed = True
            case _:
                pass

    def read_body(self, body: bytes) -> None:
        self._read(_decoded(body))

    def _read(self, response: Json) -> None:
        self._named(response.get("id"))
        for item in _objects(response.get("output")):
            self._item(item)
        if usage := _object(response.get("usage")):
            self.usage = responses_usage(usage)
        self.failed = response.get("status") == "failed"
        self.whole = not self.failed

    def _item(self, item: Json) -> None:
        kind = str(item.get("type", ""))
        if kind.endswith("_call"):
            # what the caller is to run has an id to be answered by, beside that of the item
            call_id, name = item.get("call_id"), item.get("name") or kind.removesuffix("_call")
            self._asks_for(call_id or item.get("id"), name, provider_executed=not call_id)


class ChatFindings(_Reader):
    """Of OpenAI's Chat Completions. A stream tells the tokens only to who has asked with `stream_options`."""

    def __init__(self) -> None:
        super().__init__()
        self.usage: Usage | None = None

    def read_event(self, event: ServerEvent) -> None:
        if event.data.strip() == b"[DONE]":
            self.whole = True
            return
        self._read(_decoded(event.data), "delta")

    def read_body(self, body: bytes) -> None:
        self._read(_decoded(body), "message")
        self.whole = True

    def _read(self, told: Json, where: str) -> None:
        self._named(told.get("id"))
        self.failed = self.failed or bool(told.get("error"))
        for choice in _objects(told.get("choices")):
            for call in _objects(_object(choice.get(where)).get("tool_calls")):
                made = _object(call.get("function")) or _object(call.get("custom"))
                if call.get("id"):
                    self._asks_for(call["id"], made.get("name"), provider_executed=False)
        if usage := _object(told.get("usage")):
            self.usage = chat_usage(usage)


_READERS = {
    MESSAGES.name: MessagesFindings,
    RESPONSES.name: ResponsesFindings,
    CHAT_COMPLETIONS.name: ChatFindings,
}


def findings_of(endpoint: Endpoint) -> Findings:
    """A reader for the answers of a route that is recorded."""
    return _READERS[endpoint.name]()


def _decoded(data: bytes) -> Json:
    """A JSON object; an empty one for anything else that is JSON.

    Raises:
        ValueError: it is no JSON.
    """
    return _object(orjson.loads(data))


def _object(value: Any) -> Json:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _objects(value: Any) -> list[Json]:
    return [_object(one) for one in cast("list[Any]", value)] if isinstance(value, list) else []


def _readable(written: str) -> str:
    """A name that a model has written, fit to be stored."""
    return _UNPRINTABLE.sub("_", written)[:_MAX_NAME]
