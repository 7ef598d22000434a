"""Tools that Anthropic runs itself, as blocks: a call, and its result behind it. Pure."""

import base64
from collections.abc import Sequence
from typing import Any

from activities.providers.demo.request import Block
from activities.providers.demo.script import ServerTool, Source
from activities.providers.demo.shapes import as_object

_NAMES = {"web_search": "web_search", "web_fetch": "web_fetch", "code_interpreter": "bash_code_execution"}
"""By kind, of those whose calls are of the type `server_tool_use`."""


def vendor_blocks(tool: ServerTool, seed: str, sources: Sequence[Source]) -> list[dict[str, Any]]:
    """The call and its result; none for a kind that Anthropic has not."""
    if tool.kind == "mcp":
        call: dict[str, Any] = {
            "type": "mcp_tool_use",
            "id": f"mcptoolu_{seed}",
            "name": str(tool.input.get("name", "look")),
            "server_name": str(tool.input.get("server_label", "demo")),
            "input": tool.input.get("arguments", {}),
        }
    elif name := _NAMES.get(tool.kind):
        call = {"type": "server_tool_use", "id": f"srvtoolu_{seed}", "name": name, "input": tool.input}
    else:
        return []
    return [call, result_of(Block.model_validate(call), tool, sources)]


def result_of(call: Block, told: ServerTool | None, sources: Sequence[Source]) -> dict[str, Any]:
    """The result of a call: of a search the sources, of anything else what `told` has for output."""
    output = told.output if told else ""
    name = "mcp" if call.type == "mcp_tool_use" else call.name
    content: dict[str, Any] | list[dict[str, Any]]
    match name:
        case "web_search":
            content = [_hit(source) for source in sources]
        case "web_fetch":
            document = {
                "type": "document",
                "title": "A page",
                "source": {"type": "text", "media_type": "text/plain", "data": output},
            }
            url = (as_object(call.input) or {}).get("url", "https://example.org")
            content = {"type": "web_fetch_result", "url": url, "content": document}
        case "mcp":
            content = [{"type": "text", "text": output}]
        case _:
            ran: dict[str, Any] = {"stdout": output, "stderr": "", "return_code": 0, "content": []}
            content = {"type": f"{name}_result", **ran}
    return {"type": f"{name}_tool_result", "tool_use_id": call.id, "content": content}


def _hit(source: Source) -> dict[str, Any]:
    return {
        "type": "web_search_result",
        "url": source.url,
        "title": source.title,
        "encrypted_content": base64.b64encode(source.url.encode()).decode(),
    }
