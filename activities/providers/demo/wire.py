"""The Anthropic Messages protocol, outgoing: one answer as stream events and as a JSON message. Pure."""

import base64
import hashlib
import json
from typing import Any

from activities.providers.demo.dialect import Answer, Piece
from activities.providers.demo.encoding import by_count, by_words, event, tokens
from activities.providers.demo.faults import PieceKind
from activities.providers.demo.request import PAUSED, Block
from activities.providers.demo.script import Step
from activities.providers.demo.vendor_tools import result_of, vendor_blocks

TOOL_INPUT_PIECE = 24
BAD_FRAME = b"event: content_block_delta\ndata: {this is not JSON\n\n"


def error_body(error_type: str, message: str, request_id: str) -> dict[str, Any]:
    """The body of an error answer, and the payload of an `error` event."""
    return {"type": "error", "error": {"type": error_type, "message": message}, "request_id": request_id}


def sign_thinking(thinking: str) -> str:
    """The signature of a thinking block: opaque to clients, checked when the block comes back."""
    digest = hashlib.sha256(b"perdure demo model\n" + thinking.encode("utf-8", "replace")).digest()
    return "demo" + base64.b64encode(digest).decode()


def encode_answer(
    step: Step,
    *,
    message_id: str,
    model: str,
    input_characters: int,
    tool_id_seed: str,
    paused_call: Block | None = None,
) -> Answer:
    """Encode one step of a script.

    Args:
        step: what the model says.
        message_id: the `id` of the answer.
        model: the model name that the client asked for.
        input_characters: size of the request, from which the input tokens are computed.
        tool_id_seed: tool call ids are derived from it and their index.
        paused_call: the answer goes on with its result, which the first tool of the step tells.
    """
    content = _content(step, tool_id_seed, paused_call)
    stop_reason = step.stop_reason or ("tool_use" if step.tools else "end_turn")
    usage = _usage(step, content, input_characters)
    message: dict[str, Any] = {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": usage,
    }
    start_usage = {**usage, "output_tokens": min(1, usage["output_tokens"])}
    start: dict[str, Any] = {**message, "content": [], "stop_reason": None, "usage": start_usage}
    opening = event({"type": "message_start", "message": start}) + event({"type": "ping"})

    pieces: list[Piece] = []
    pending = b""
    for index, block in enumerate(content):
        kind, empty, deltas, tail = _stream_block(block, step.pieces)
        pending += event({"type": "content_block_start", "index": index, "content_block": empty})
        for delta in deltas:
            pieces.append(Piece(kind, pending + _delta(index, delta)))
            pending = b""
        pending += _delta(index, tail) if tail else b""
        pending += event({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    closing = (
        pending
        + event({"type": "message_delta", "delta": delta, "usage": usage})
        + event({"type": "message_stop"})
    )
    return Answer(opening, tuple(pieces), closing, message)


def _content(step: Step, tool_id_seed: str, paused_call: Block | None) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    vendor_tools = list(step.server_tools)
    if paused_call is not None:
        told = vendor_tools.pop(0) if vendor_tools else None
        content.append(result_of(paused_call, told, step.sources))
    if step.thinking:
        content.append(
            {"type": "thinking", "thinking": step.thinking, "signature": sign_thinking(step.thinking)}
        )
    pausing = vendor_tools.pop() if vendor_tools and step.stop_reason == "pause_turn" else None
    for index, tool in enumerate(vendor_tools):
        content += vendor_blocks(tool, f"{tool_id_seed[:16]}_{index}", step.sources)
    if step.text:
        content.append({"type": "text", "text": step.text})
    if pausing is not None:
        content += vendor_blocks(pausing, f"{tool_id_seed[:16]}{PAUSED}", step.sources)[:1]
    for index, call in enumerate(step.tools):
        digest = hashlib.sha256(f"{tool_id_seed}/{index}".encode()).hexdigest()
        content.append(
            {"type": "tool_use", "id": f"toolu_{digest[:24]}", "name": call.name, "input": call.input}
        )
    return content


def _usage(step: Step, content: list[dict[str, Any]], input_characters: int) -> dict[str, int]:
    given = step.usage
    said = sum(
        len(block.get("thinking") or block.get("text") or str(block.get("input"))) for block in content
    )
    return {
        "input_tokens": tokens(input_characters) if given.input_tokens is None else given.input_tokens,
        "cache_creation_input_tokens": given.cache_creation_input_tokens,
        "cache_read_input_tokens": given.cache_read_input_tokens,
        "output_tokens": tokens(said) if given.output_tokens is None else given.output_tokens,
    }


def _stream_block(
    block: dict[str, Any], text_pieces: int | None
) -> tuple[PieceKind, dict[str, Any], list[dict[str, Any]], dict[str, Any] | None]:
    """Kind of the pieces, the block as it starts, its deltas, and a delta that goes with its end."""
    match block["type"]:
        case "thinking":
            deltas = [{"type": "thinking_delta", "thinking": words} for words in by_words(block["thinking"])]
            signature = {"type": "signature_delta", "signature": block["signature"]}
            return "thinking", {**block, "thinking": "", "signature": ""}, deltas, signature
        case "text":
            text: str = block["text"]
            parts = by_words(text) if text_pieces is None else by_count(text, text_pieces)
            return (
                "text",
                {"type": "text", "text": ""},
                [{"type": "text_delta", "text": p} for p in parts],
                None,
            )
        case kind if kind.endswith("_tool_result"):
            return "text", block, [], None
        case _:
            # The first delta of a tool input is empty, as on the real wire: clients must join, not parse.
            raw = json.dumps(block["input"], ensure_ascii=False)
            chunks = ["", *(raw[i : i + TOOL_INPUT_PIECE] for i in range(0, len(raw), TOOL_INPUT_PIECE))]
            deltas = [{"type": "input_json_delta", "partial_json": chunk} for chunk in chunks]
            return "tool_input", {**block, "input": {}}, deltas, None


def _delta(index: int, delta: dict[str, Any]) -> bytes:
    return event({"type": "content_block_delta", "index": index, "delta": delta})
