"""Tools that OpenAI runs itself: how they are asked for, and what people may see of their items."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from activities.providers.json_text import as_object, decode_json
from activities.providers.protocol import ProviderTool

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Hosted:
    """A kind of item that is a call and its result in one.

    Attributes:
        name: of the tool, as people see it.
        asked: fields of the item that say what was asked.
        found: fields that say what came of it.
    """

    name: str
    asked: tuple[str, ...]
    found: tuple[str, ...]


HOSTED = {
    "web_search_call": Hosted("web_search", ("action",), ("status", "results")),
    "code_interpreter_call": Hosted("code_execution", ("code",), ("status", "outputs")),
    "file_search_call": Hosted("file_search", ("queries",), ("status", "results")),
    "mcp_call": Hosted("mcp", ("server_label", "name", "arguments"), ("output", "error")),
}

_INCLUDES = {
    "web_search": "web_search_call.action.sources",
    "code_execution": "code_interpreter_call.outputs",
    "file_search": "file_search_call.results",
}


def asked(item: Item) -> dict[str, Any]:
    """What a hosted call was asked."""
    fields = {name: item[name] for name in HOSTED[item["type"]].asked if item.get(name) is not None}
    if item["type"] == "web_search_call":
        return as_object(fields.get("action"))
    if isinstance(fields.get("arguments"), str):
        fields["arguments"] = _decoded(fields["arguments"])
    return fields


def found(item: Item) -> dict[str, Any]:
    """What came of it."""
    return {name: item[name] for name in HOSTED[item["type"]].found if item.get(name) is not None}


def failed(item: Item) -> bool:
    return item.get("status") in ("failed", "incomplete") or item.get("error") is not None


def wire_tools(tools: Iterable[ProviderTool]) -> Iterator[dict[str, Any]]:
    """The hosted tools of a request; kinds that OpenAI has not are left out."""
    for tool in tools:
        match tool.kind:
            case "web_search":
                yield _web_search(tool)
            case "code_execution":
                yield {"type": "code_interpreter", "container": {"type": "auto"}}
            case "file_search":
                yield {"type": "file_search", **tool.given("vector_store_ids", "max_num_results")}
            case "mcp":
                yield _mcp(tool)
            case _:
                pass


def includes(tools: Iterable[ProviderTool]) -> list[str]:
    """What must be asked for, so that people see what the tools have found."""
    return [_INCLUDES[tool.kind] for tool in tools if tool.kind in _INCLUDES]


def _web_search(tool: ProviderTool) -> dict[str, Any]:
    wired: dict[str, Any] = {"type": "web_search", **tool.given("search_context_size")}
    domains = tool.given("allowed_domains")
    return wired | {"filters": domains} if domains else wired


def _mcp(tool: ProviderTool) -> dict[str, Any]:
    wired: dict[str, Any] = {
        "type": "mcp",
        "server_label": tool.options["name"],
        "server_url": tool.options["url"],
        # Nobody is there to ask: whoever configured the server has approved it.
        "require_approval": "never",
        **tool.given("allowed_tools"),
    }
    if token := tool.options.get("authorization_token"):
        wired["headers"] = {"Authorization": f"Bearer {token}"}
    return wired


def _decoded(text: str) -> Any:
    try:
        return decode_json(text)
    except ValueError:
        return text
