"""Chat Completions, outgoing: one answer as chunks and as a JSON object. Pure."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import chain, zip_longest
from typing import Any

from activities.providers.demo.completions.request import CompletionsRequest
from activities.providers.demo.completions.servers import Server
from activities.providers.demo.dialect import Answer, Piece
from activities.providers.demo.encoding import text_pieces, tokens, unnamed_event
from activities.providers.demo.faults import PieceKind
from activities.providers.demo.script import Step
from activities.providers.demo.signing import sign_reasoning

ARGUMENTS_PIECE = 24
DONE = b"data: [DONE]\n\n"

Delta = tuple[PieceKind, dict[str, Any]]

_REASONS = {"max_tokens": "length", "refusal": "content_filter", "tool_use": "tool_calls", "end_turn": "stop"}


def encode_answer(
    step: Step, request: CompletionsRequest, server: Server, *, answer_id: str, size: int, seed: str
) -> Answer:
    """Encode one step of a script.

    Args:
        size: bytes of the request, from which the prompt tokens are computed.
        seed: ids of calls are derived from it and their index.
    """
    about = {"id": answer_id, "created": 1767225600, "model": request.model}

    def chunk(choices: list[dict[str, Any]], **more: Any) -> bytes:
        return unnamed_event({**about, "object": "chat.completion.chunk", "choices": choices, **more})

    def frame(delta: dict[str, Any], reason: str | None = None, **more: Any) -> bytes:
        return chunk([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}], **more)

    calls = list(_calls(step, seed))
    usage = _usage(step, size)
    reason = _REASONS.get(step.stop_reason or ("tool_use" if calls else "end_turn"), "stop")
    closing = frame({}, reason, **({"usage": usage} if server.usage_unasked else {}))
    if request.wants_usage and not server.usage_unasked:
        closing += chunk([], usage=usage)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": step.text or None,
        "refusal": step.refusal or None,
    }
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return Answer(
        opening=frame({"role": "assistant", "content": "", "refusal": None}),
        pieces=tuple(Piece(kind, frame(delta)) for kind, delta in _deltas(step, server, calls)),
        closing=closing + DONE,
        whole={**about, "object": "chat.completion", "choices": [choice], "usage": usage},
    )


def _deltas(step: Step, server: Server, calls: list[dict[str, Any]]) -> Iterator[Delta]:
    if server.reasoning:
        yield from _reasoning(step.thinking, server)
    for words in text_pieces(step.text, step.pieces):
        yield "text", {"content": words}
    for words in text_pieces(step.refusal, step.pieces):
        yield "text", {"refusal": words}
    if step.sources:
        cited = [{"url": source.url, "title": source.title} for source in step.sources]
        yield "text", {"annotations": [{"type": "url_citation", "url_citation": one} for one in cited]}
    parts = [_call_deltas(step, place, call) for place, call in enumerate(calls)]
    if step.framing.interleaved:
        turns: Iterable[Any] = chain.from_iterable(zip_longest(*parts))
        yield from (delta for delta in turns if delta)
    else:
        yield from chain.from_iterable(parts)


def _reasoning(thinking: str, server: Server) -> Iterator[Delta]:
    assert server.reasoning
    for words in text_pieces(thinking, None):
        delta: dict[str, Any] = {server.reasoning: words}
        if server.reasoning_details:
            delta["reasoning_details"] = [{"type": "reasoning.text", "text": words, "index": 0}]
        yield "thinking", delta
    if thinking and server.reasoning_details:
        proof = {"type": "reasoning.text", "signature": sign_reasoning(thinking), "index": 0}
        yield "thinking", {server.reasoning: "", "reasoning_details": [proof]}


def _call_deltas(step: Step, place: int, call: dict[str, Any]) -> Iterator[Delta]:
    index = place + step.framing.first_tool_index
    function, arguments = call["function"], call["function"]["arguments"]
    if step.framing.whole_arguments:
        yield "tool_input", {"tool_calls": [{"index": index, **call}]}
        return
    first = {**call, "function": {"name": function["name"], "arguments": ""}}
    yield "tool_input", {"tool_calls": [{"index": index, **first}]}
    for start in range(0, len(arguments), ARGUMENTS_PIECE):
        more = {"arguments": arguments[start : start + ARGUMENTS_PIECE]}
        yield "tool_input", {"tool_calls": [{"index": index, "function": more}]}


def _calls(step: Step, seed: str) -> Iterator[dict[str, Any]]:
    for index, call in enumerate(step.tools):
        digest = hashlib.sha256(f"{seed}/{index}".encode()).hexdigest()
        function = {"name": call.name, "arguments": json.dumps(call.input, ensure_ascii=False)}
        yield {"id": f"call_{digest[:24]}", "type": "function", "function": function}


def _usage(step: Step, size: int) -> dict[str, Any]:
    given = step.usage
    cached, written = given.cache_read_input_tokens, given.cache_creation_input_tokens
    # Here, unlike with Anthropic, the whole prompt is counted, and cached tokens are a part of it.
    prompt = (tokens(size) if given.input_tokens is None else given.input_tokens) + cached + written
    said = len(step.thinking) + len(step.text) + sum(len(str(call.input)) for call in step.tools)
    out = tokens(said) if given.output_tokens is None else given.output_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": out,
        "total_tokens": prompt + out,
        "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": given.reasoning_tokens},
    }
