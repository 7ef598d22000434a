"""Searches of the web that a server makes by itself: asked for in its own words. Pure.

What it finds comes as annotations of the text, and there is nothing to send back.
"""

import logging
from collections.abc import Iterable
from typing import Any

from activities.providers.openai.profiles import Profile
from activities.providers.protocol import ProviderTool

_log = logging.getLogger(__name__)


def wire_search(
    tools: Iterable[ProviderTool], profile: Profile
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The search as a tool beside ours, for servers that have it as one; and as the field of the body by
    which OpenAI's models for searching are told how. Both are empty without a search."""
    search = _search(tools, profile)
    if search is None:
        return [], {}
    if profile.web_search == "web_search_options":
        return [], {"web_search_options": search.given("search_context_size")}
    parameters = search.given("search_context_size", "allowed_domains")
    if excluded := search.given("blocked_domains"):
        parameters["excluded_domains"] = excluded["blocked_domains"]
    return [{"type": "openrouter:web_search", **({"parameters": parameters} if parameters else {})}], {}


def _search(tools: Iterable[ProviderTool], profile: Profile) -> ProviderTool | None:
    found: ProviderTool | None = None
    for tool in tools:
        if tool.kind == "web_search" and profile.web_search is not None:
            found = tool
        else:
            _log.info("the server runs no tools of the kind %s over this interface: left out", tool.kind)
    return found
