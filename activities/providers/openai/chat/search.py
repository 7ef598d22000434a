"""Searches of the web that a server makes by itself: asked for in its own words. Pure.

What it finds comes as annotations of the text, and there is nothing to send back.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from activities.providers.openai.profiles import Profile
from activities.providers.protocol import ProviderTool

_log = logging.getLogger(__name__)


def search_parameter(tools: Iterable[ProviderTool], profile: Profile) -> dict[str, Any]:
    """The field of the body by which OpenAI's models for searching are told how; empty without a search."""
    options = _search(tools, profile, "web_search_options")
    if options is None:
        return {}
    return {"web_search_options": _given(options, ("search_context_size", "search_context_size"))}


def search_tool(tools: Iterable[ProviderTool], profile: Profile) -> list[dict[str, Any]]:
    """The search as a tool beside ours, for servers that have it as one."""
    options = _search(tools, profile, "openrouter:web_search")
    if options is None:
        return []
    same = ("search_context_size", "allowed_domains")
    parameters = _given(options, *((name, name) for name in same), ("blocked_domains", "excluded_domains"))
    return [{"type": "openrouter:web_search", **({"parameters": parameters} if parameters else {})}]


def _search(tools: Iterable[ProviderTool], profile: Profile, way: str) -> Mapping[str, Any] | None:
    """What is configured of a search that is asked for in this way."""
    for tool in tools:
        if tool.kind == "web_search" and profile.web_search == way:
            return tool.options
        if tool.kind != "web_search" or profile.web_search is None:
            _log.info("the server runs no tools of the kind %s over this interface: left out", tool.kind)
    return None


def _given(options: Mapping[str, Any], *names: tuple[str, str]) -> dict[str, Any]:
    chosen = ((theirs, options.get(ours)) for ours, theirs in names)
    return {name: list(v) if isinstance(v, tuple) else v for name, v in chosen if v}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
