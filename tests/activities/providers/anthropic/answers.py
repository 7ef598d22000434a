"""Answers as the vendor documents them: whole blocks, and the stream of events that brings them."""

import json
from collections.abc import Iterator
from typing import Any

Block = dict[str, Any]
Event = dict[str, Any]

THINKING: Block = {"type": "thinking", "thinking": "Hm. Let me look.", "signature": "EqQBCgIYAhIM+/=="}
REDACTED: Block = {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3p+/=="}
TEXT: Block = {"type": "text", "text": "Here it is."}
CALL: Block = {"type": "tool_use", "id": "toolu_01", "name": "current_time", "input": {"zone": "Asia/Tokyo"}}

SEARCH: Block = {
    "type": "server_tool_use",
    "id": "srvtoolu_01",
    "name": "web_search",
    "input": {"query": "who shot first"},
}
HITS: Block = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_01",
    "caller": {"type": "direct"},
    "content": [
        {
            "type": "web_search_result",
            "url": "https://a.example/han",
            "title": "Han",
            "page_age": "1 day",
            "encrypted_content": "EqgfCioIARgBIiQ3YTAwMjY1Mi1mZjM5+/==",
        },
        {
            "type": "web_search_result",
            "url": "https://b.example/greedo",
            "title": "Greedo",
            "encrypted_content": "AAAA+/==",
        },
    ],
}
CITED: Block = {
    "type": "text",
    "text": "Han shot first.",
    "citations": [
        {
            "type": "web_search_result_location",
            "url": "https://a.example/han",
            "title": "Han",
            "encrypted_index": "Eo8BCioIAhgBIiQ+/==",
            "cited_text": "Han did it",
        }
    ],
}
FAILED_SEARCH: Block = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_01",
    "content": {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"},
}
FETCH: Block = {
    "type": "server_tool_use",
    "id": "srvtoolu_02",
    "name": "web_fetch",
    "input": {"url": "https://a.example/han"},
}
FETCHED: Block = {
    "type": "web_fetch_tool_result",
    "tool_use_id": "srvtoolu_02",
    "content": {
        "type": "web_fetch_result",
        "url": "https://a.example/han",
        "retrieved_at": "2026-03-01T12:00:00Z",
        "content": {
            "type": "document",
            "title": "Han",
            "citations": {"enabled": True},
            "source": {"type": "text", "media_type": "text/plain", "data": "Long ago…"},
        },
    },
}
CODE: Block = {
    "type": "server_tool_use",
    "id": "srvtoolu_03",
    "name": "bash_code_execution",
    "input": {"command": "ls"},
}
RAN: Block = {
    "type": "bash_code_execution_tool_result",
    "tool_use_id": "srvtoolu_03",
    "content": {
        "type": "bash_code_execution_result",
        "stdout": "a.csv\n",
        "stderr": "",
        "return_code": 0,
        "content": [{"type": "bash_code_execution_output", "file_id": "file_1"}],
    },
}
MCP: Block = {
    "type": "mcp_tool_use",
    "id": "mcptoolu_01",
    "name": "echo",
    "server_name": "echoes",
    "input": {"said": "hi"},
}
ECHOED: Block = {
    "type": "mcp_tool_result",
    "tool_use_id": "mcptoolu_01",
    "is_error": False,
    "content": [{"type": "text", "text": "hi"}],
}
HOLOGRAM: Block = {"type": "hologram", "layers": [1, 2], "light": "blue", "depth": {"of": 3}}

RUNS: Block = {
    "type": "server_tool_use",
    "id": "srvtoolu_04",
    "name": "code_execution",
    "input": {"code": "await current_time()"},
}
CALL_BY_CODE: Block = {
    "type": "tool_use",
    "id": "toolu_02",
    "name": "current_time",
    "input": {},
    "caller": {"type": "code_execution_20250825", "tool_id": "srvtoolu_04"},
}
CODE_RAN: Block = {
    "type": "code_execution_tool_result",
    "tool_use_id": "srvtoolu_04",
    "content": {"type": "encrypted_code_execution_result", "encrypted_stdout": "x+/==", "return_code": 0},
}


def stream(
    *blocks: Block, stop_reason: str | None = "end_turn", delta: Event | None = None, **usage: int
) -> list[Event]:
    """The events by which the vendor sends these blocks. `delta` is added to that of the message."""
    message: Event = {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [],
    }
    counts = {"input_tokens": 10, "output_tokens": 1}
    events: list[Event] = [{"type": "message_start", "message": {**message, "usage": counts}}]
    for index, block in enumerate(blocks):
        begun, deltas = _in_pieces(block)
        events.append({"type": "content_block_start", "index": index, "content_block": begun})
        events += [{"type": "content_block_delta", "index": index, "delta": piece} for piece in deltas]
        events.append({"type": "content_block_stop", "index": index})
    ended = {"stop_reason": stop_reason, "stop_sequence": None, **(delta or {})}
    events.append({"type": "message_delta", "delta": ended, "usage": {"output_tokens": 20, **usage}})
    return [*events, {"type": "message_stop"}]


def _in_pieces(block: Block) -> tuple[Block, list[Event]]:
    match block["type"]:
        case "text":
            cited = [{"type": "citations_delta", "citation": one} for one in block.get("citations", [])]
            empty: Block = {"citations": []} if cited else {}
            texts = [{"type": "text_delta", "text": half} for half in _halves(block["text"])]
            return {"type": "text", "text": "", **empty}, [*cited, *texts]
        case "thinking":
            thoughts = [{"type": "thinking_delta", "thinking": half} for half in _halves(block["thinking"])]
            proof = {"type": "signature_delta", "signature": block["signature"]}
            return {**block, "thinking": "", "signature": ""}, [*thoughts, proof]
        case "tool_use" | "server_tool_use" | "mcp_tool_use":
            halves = ["", *_halves(json.dumps(block["input"]))]
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": h} for h in halves]
        case _:
            return block, []


def _halves(text: str) -> Iterator[str]:
    yield text[: len(text) // 2]
    yield text[len(text) // 2 :]
