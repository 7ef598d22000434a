"""Tools in the form of the Messages API: ours, and those that the vendor runs. Pure."""

import logging
from collections.abc import Callable
from typing import Any

from activities.providers.protocol import ModelRequest, ProviderTool, ToolChoice, ToolSpec

_log = logging.getLogger(__name__)


def tool_fields(request: ModelRequest, run_by_vendor: frozenset[str]) -> dict[str, Any]:
    """The fields of the body about tools: none without tools.

    Sorted by name, the vendor's own behind ours: the same tools are the same beginning of every request.

    Args:
        run_by_vendor: kinds of tools that this endpoint runs.
    """
    tools = [_tool(tool) for tool in sorted(request.tools, key=lambda tool: tool.name)]
    servers: list[dict[str, Any]] = []
    for tool in sorted(request.provider_tools, key=lambda tool: (tool.kind, tool.options.get("name", ""))):
        if tool.kind not in run_by_vendor or tool.kind not in _PROVIDER_TOOLS:
            _log.info("the endpoint runs no tools of the kind %s: left out", tool.kind)
            continue
        tools.append(_PROVIDER_TOOLS[tool.kind](tool))
        if tool.kind == "mcp":
            servers.append(_mcp_server(tool))
    if not tools:
        return {}
    fields: dict[str, Any] = {"tools": tools}
    if servers:
        fields["mcp_servers"] = servers
    choice = _choice(request)
    return fields | {"tool_choice": choice} if choice else fields


KINDS = frozenset({"web_search", "web_fetch", "code_execution", "mcp"})
"""What the vendor's own endpoint runs."""


def _choice(request: ModelRequest) -> dict[str, Any] | None:
    alone = request.options.provider_options.anthropic.disable_parallel_tool_use
    parallel = {} if alone is None else {"disable_parallel_tool_use": alone}
    match request.tool_choice:
        case ToolChoice.AUTO:
            return {"type": "auto", **parallel} if parallel else None
        case ToolChoice.NONE:
            return {"type": "none"}
        case ToolChoice.REQUIRED:
            return {"type": "any", **parallel}
        case name:
            return {"type": "tool", "name": name, **parallel}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    schema = {key: value for key, value in tool.schema.items() if key != "required" or value}
    return {"name": tool.name, "description": tool.description, "input_schema": schema}


def _web_search(tool: ProviderTool) -> dict[str, Any]:
    taken = tool.given("max_uses", "allowed_domains", "blocked_domains")
    return {"type": "web_search_20250305", "name": "web_search", **taken}


def _web_fetch(tool: ProviderTool) -> dict[str, Any]:
    taken = tool.given("max_uses", "allowed_domains", "blocked_domains", "max_content_tokens")
    cites = {"citations": {"enabled": True}} if tool.options.get("citations") else {}
    return {"type": "web_fetch_20250910", "name": "web_fetch", **taken, **cites}


def _code_execution(tool: ProviderTool) -> dict[str, Any]:
    return {"type": "code_execution_20250825", "name": "code_execution"}


def _mcp_toolset(tool: ProviderTool) -> dict[str, Any]:
    toolset: dict[str, Any] = {"type": "mcp_toolset", "mcp_server_name": tool.options["name"]}
    allowed = tool.options.get("allowed_tools")
    if allowed is None:
        return toolset
    named = {name: {"enabled": True} for name in sorted(allowed)}
    return {**toolset, "default_config": {"enabled": False}, "configs": named}


def _mcp_server(tool: ProviderTool) -> dict[str, Any]:
    return {"type": "url", **tool.given("url", "name", "authorization_token")}


_PROVIDER_TOOLS: dict[str, Callable[[ProviderTool], dict[str, Any]]] = {
    "web_search": _web_search,
    "web_fetch": _web_fetch,
    "code_execution": _code_execution,
    "mcp": _mcp_toolset,
}
