"""The Responses API, outgoing: one answer as numbered events and as a JSON object. Pure."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from activities.providers.demo.dialect import Answer, Piece
from activities.providers.demo.encoding import event, text_pieces, tokens
from activities.providers.demo.faults import PieceKind
from activities.providers.demo.responses.request import ResponsesRequest
from activities.providers.demo.script import Framing, ServerTool, Step
from activities.providers.demo.signing import encrypt

ARGUMENTS_PIECE = 24

Item = dict[str, Any]


def encode_answer(step: Step, request: ResponsesRequest, *, response_id: str, size: int, seed: str) -> Answer:
    """Encode one step of a script.

    Args:
        size: bytes of the request, from which the input tokens are computed.
        seed: ids of calls are derived from it and their index.
    """
    output = list(_output(step, request, response_id.removeprefix("resp_"), seed))
    ended = {"end_turn": "completed", "tool_use": "completed"}.get(step.stop_reason or "end_turn")
    reason = "content_filter" if step.stop_reason == "refusal" else "max_output_tokens"
    response = {
        "id": response_id,
        "object": "response",
        "created_at": 1767225600,
        "status": ended or "incomplete",
        "error": None,
        "incomplete_details": None if ended else {"reason": reason},
        "model": request.model,
        "output": output,
        "store": request.stored,
        "usage": _usage(step, output, size),
    }
    beginning = {**response, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    stream = _Stream(step)
    stream.say("response.created", response=beginning)
    stream.say("response.in_progress", response=beginning)
    opening = stream.pending
    stream.pending = b""
    calls: list[tuple[int, Item]] = []
    for index, item in enumerate(output):
        if item["type"] == "function_call" and step.framing.interleaved:
            calls.append((index, item))
        else:
            stream.item(index, item)
    stream.interleave(calls)
    stream.say("response.completed" if ended else "response.incomplete", response=response)
    return Answer(opening, tuple(stream.pieces), stream.pending, response)


def _output(step: Step, request: ResponsesRequest, name: str, seed: str) -> Iterator[Item]:
    if step.thinking:
        summary = [{"type": "summary_text", "text": step.thinking}]
        item: Item = {"id": f"rs_{name}", "type": "reasoning", "summary": summary}
        if "reasoning.encrypted_content" in request.include:
            item["encrypted_content"] = encrypt(step.thinking)
        yield item
    for index, tool in enumerate(step.server_tools):
        if (hosted := _server_item(tool, f"{name}_{index}")) is not None:
            yield hosted
    if step.text or step.refusal:
        message = {"id": f"msg_{name}", "type": "message", "role": "assistant", "status": "completed"}
        if step.phase:
            message["phase"] = step.phase
        yield {**message, "content": list(_contents(step))}
    for index, call in enumerate(step.tools):
        digest = hashlib.sha256(f"{seed}/{index}".encode()).hexdigest()
        yield {
            "id": f"fc_{name}_{index}",
            "type": "function_call",
            "status": "completed",
            "call_id": f"call_{digest[:24]}",
            "name": call.name,
            "arguments": json.dumps(call.input, ensure_ascii=False),
        }


def _contents(step: Step) -> Iterator[Item]:
    if step.text:
        yield {"type": "output_text", "text": step.text, "annotations": _annotations(step), "logprobs": []}
    if step.refusal:
        yield {"type": "refusal", "refusal": step.refusal}


def _annotations(step: Step) -> list[Item]:
    end = len(step.text)
    return [
        {"type": "url_citation", "start_index": 0, "end_index": end, "url": source.url, "title": source.title}
        for source in step.sources
    ]


def _server_item(tool: ServerTool, name: str) -> Item | None:
    """The item of a tool; None for a kind that OpenAI has not."""
    match tool.kind:
        case "web_fetch":
            return None
        case "web_search":
            action = {"type": "search", **tool.input}
            return {"id": f"ws_{name}", "type": "web_search_call", "status": "completed", "action": action}
        case "code_interpreter":
            return {
                "id": f"ci_{name}",
                "type": "code_interpreter_call",
                "status": "completed",
                "code": str(tool.input.get("code", "")),
                "container_id": f"cntr_{name}",
                "outputs": [{"type": "logs", "logs": tool.output}] if tool.output else None,
            }
        case "file_search":
            found = [{"file_id": "file-1", "filename": "notes.md", "score": 0.9, "text": tool.output}]
            return {
                "id": f"fs_{name}",
                "type": "file_search_call",
                "status": "completed",
                "queries": tool.input.get("queries", []),
                "results": found if tool.output else None,
            }
        case "mcp":
            return {
                "id": f"mcp_{name}",
                "type": "mcp_call",
                "server_label": str(tool.input.get("server_label", "demo")),
                "name": str(tool.input.get("name", "look")),
                "arguments": json.dumps(tool.input.get("arguments", {})),
                "output": tool.output,
                "error": None,
            }


def _usage(step: Step, output: list[Item], size: int) -> Item:
    given = step.usage
    said = tokens(len(json.dumps(output)))
    cached, written = given.cache_read_input_tokens, given.cache_creation_input_tokens
    # Here, unlike with Anthropic, the whole input is counted, and cached tokens are a part of it.
    whole = (tokens(size) if given.input_tokens is None else given.input_tokens) + cached + written
    out = said if given.output_tokens is None else given.output_tokens
    return {
        "input_tokens": whole,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        "output_tokens": out,
        "output_tokens_details": {"reasoning_tokens": given.reasoning_tokens},
        "total_tokens": whole + out,
    }


@dataclass(slots=True)
class _Stream:
    """Events in order, numbered; those without a piece of their own wait for the next one."""

    step: Step
    pieces: list[Piece] = field(default_factory=list[Piece])
    pending: bytes = b""
    number: int = 0

    def say(self, kind: str, **fields: Any) -> None:
        self.pending += event({"type": kind, "sequence_number": self.number, **fields})
        self.number += 1

    def piece(self, of: PieceKind, kind: str, **fields: Any) -> None:
        self.say(kind, **fields)
        self.pieces.append(Piece(of, self.pending))
        self.pending = b""

    def item(self, index: int, item: Item) -> None:
        match item["type"]:
            case "reasoning":
                self._reasoning(index, item)
            case "message":
                self._message(index, item)
            case "function_call":
                for _ in self._call(index, item):
                    pass
            case _:
                self._server_tool(index, item)

    def interleave(self, calls: list[tuple[int, Item]]) -> None:
        """All calls at once: one piece of each in turn."""
        for _ in zip_longest(*(self._call(index, item) for index, item in calls)):
            pass

    def _added(self, index: int, item: Item, **empty: Any) -> None:
        beginning = {key: value for key, value in item.items() if key != "encrypted_content"}
        if "status" in item:
            beginning["status"] = "in_progress"
        self.say("response.output_item.added", output_index=index, item={**beginning, **empty})

    def _done(self, index: int, item: Item) -> None:
        self.say("response.output_item.done", output_index=index, item=item)

    def _reasoning(self, index: int, item: Item) -> None:
        self._added(index, item, summary=[])
        for place, part in enumerate(item["summary"]):
            where = {"item_id": item["id"], "output_index": index, "summary_index": place}
            self.say("response.reasoning_summary_part.added", **where, part={**part, "text": ""})
            for words in text_pieces(part["text"], None):
                self.piece("thinking", "response.reasoning_summary_text.delta", **where, delta=words)
            self.say("response.reasoning_summary_text.done", **where, text=part["text"])
            self.say("response.reasoning_summary_part.done", **where, part=part)
        self._done(index, item)

    def _message(self, index: int, item: Item) -> None:
        self._added(index, item, content=[])
        for place, part in enumerate(item["content"]):
            where = {"item_id": item["id"], "output_index": index, "content_index": place}
            name, kind = ("text", "output_text") if part["type"] == "output_text" else ("refusal", "refusal")
            empty: Item = {**part, name: ""}
            if name == "text":
                empty["annotations"] = []
            self.say("response.content_part.added", **where, part=empty)
            for words in text_pieces(part[name], self.step.pieces):
                self.piece("text", f"response.{kind}.delta", **where, delta=words)
            for number, annotation in enumerate(part.get("annotations") or ()):
                self.say(
                    "response.output_text.annotation.added",
                    **where, annotation_index=number, annotation=annotation,
                )  # fmt: skip
            self.say(f"response.{kind}.done", **where, **{name: part[name]})
            self.say("response.content_part.done", **where, part=part)
        self._done(index, item)

    def _call(self, index: int, item: Item) -> Iterator[None]:
        self._added(index, item, arguments="")
        where = {"item_id": item["id"], "output_index": index}
        for chunk in _argument_pieces(item["arguments"], self.step.framing):
            self.piece("tool_input", "response.function_call_arguments.delta", **where, delta=chunk)
            yield
        self.say(
            "response.function_call_arguments.done",
            **where, name=item["name"], arguments=item["arguments"],
        )  # fmt: skip
        self._done(index, item)

    def _server_tool(self, index: int, item: Item) -> None:
        where = {"item_id": item["id"], "output_index": index}
        self._added(index, item)
        self.say(f"response.{item['type']}.in_progress", **where)
        self.say(f"response.{item['type']}.completed", **where)
        self._done(index, item)


def _argument_pieces(arguments: str, framing: Framing) -> list[str]:
    if framing.whole_arguments:
        return [arguments]
    # An empty one first, as on the real wire: clients must join, not parse.
    return ["", *(arguments[i : i + ARGUMENTS_PIECE] for i in range(0, len(arguments), ARGUMENTS_PIECE))]
