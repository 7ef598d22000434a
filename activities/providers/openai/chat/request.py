"""A neutral request in the form of the Chat Completions API. Pure."""

from typing import Any

from activities.providers.openai.chat.messages import wire_messages
from activities.providers.openai.chat.options import vendor_settings
from activities.providers.openai.chat.search import wire_search
from activities.providers.openai.content import parameters
from activities.providers.openai.profiles import Profile
from activities.providers.protocol import ModelRequest, ToolChoice, ToolSpec


def wire_request(request: ModelRequest, label: str, profile: Profile) -> dict[str, Any]:
    """The body of `POST /chat/completions`. Nothing of `request` is changed or shared.

    Args:
        label: under which is stored what this endpoint wants back.
        profile: what the server takes.

    Raises:
        ValueError: a message holds a role or a part that has no wire form.
    """
    system = [text for text in request.system if text.strip()]
    body: dict[str, Any] = {
        "model": request.model,
        "messages": wire_messages(system, request.messages, label, profile),
        profile.output_limit: request.max_output_tokens,
        "stream": True,
    }
    if profile.sends_usage_option:
        body["stream_options"] = {"include_usage": True}
    settings = vendor_settings(request, profile)
    if not request.tools:
        settings.pop("parallel_tool_calls", None)  # refused where there is nothing to call
    searches, searching = wire_search(request.provider_tools, profile)
    return body | _tools(request, profile, searches) | searching | _sampling(request, profile) | settings


def _tools(request: ModelRequest, profile: Profile, searches: list[dict[str, Any]]) -> dict[str, Any]:
    if not request.tools:
        return {"tools": searches} if searches else {}
    openai = request.options.provider_options.openai
    strict = profile.options == "openai" and bool(openai.structured_outputs)
    tools = [*(_function(tool, strict=strict) for tool in request.tools), *searches]
    match request.tool_choice:
        case ToolChoice.AUTO:
            return {"tools": tools}
        case ToolChoice():
            return {"tools": tools, "tool_choice": request.tool_choice.value}
        case name:
            return {"tools": tools, "tool_choice": {"type": "function", "function": {"name": name}}}


def _function(tool: ToolSpec, *, strict: bool) -> dict[str, Any]:
    function: dict[str, Any] = {
        "name": tool.name,
        "description": tool.description,
        "parameters": parameters(tool),
    }
    return {"type": "function", "function": function | ({"strict": True} if strict else {})}


def _sampling(request: ModelRequest, profile: Profile) -> dict[str, Any]:
    options = request.options
    given: dict[str, Any] = {"temperature": options.temperature, "top_p": options.top_p}
    if profile.penalties:
        given["presence_penalty"] = options.presence_penalty
        given["frequency_penalty"] = options.frequency_penalty
    if profile.top_k:
        given["top_k"] = options.top_k
    return {name: value for name, value in given.items() if value is not None}
