"""Everything of a Responses request but its items: which parameters there are, and what they may hold."""

import re
from typing import Any

from activities.providers.demo.dialect import InvalidRequest
from activities.providers.demo.schemas import check_schema
from activities.providers.demo.shapes import as_object

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
MIN_OUTPUT_TOKENS = 16

PARAMETERS = frozenset(
    {
        "background", "conversation", "include", "input", "instructions", "max_output_tokens",
        "max_tool_calls", "metadata", "model", "parallel_tool_calls", "previous_response_id", "prompt",
        "prompt_cache_key", "prompt_cache_retention", "reasoning", "safety_identifier", "service_tier",
        "store", "stream", "stream_options", "temperature", "text", "tool_choice", "tools", "top_logprobs",
        "top_p", "truncation", "user",
    }
)  # fmt: skip

INCLUDABLE = frozenset(
    {
        "code_interpreter_call.outputs", "file_search_call.results", "message.output_text.logprobs",
        "reasoning.encrypted_content", "web_search_call.action.sources", "web_search_call.results",
    }
)  # fmt: skip

HOSTED_TOOLS = {
    "web_search": {"type", "filters", "search_context_size", "user_location"},
    "file_search": {"type", "vector_store_ids", "filters", "max_num_results", "ranking_options"},
    "code_interpreter": {"type", "container"},
    "mcp": {"type", "server_label", "server_url", "allowed_tools", "headers", "require_approval"},
}

CHOICES = {
    ("service_tier",): {"auto", "default", "flex", "scale", "priority"},
    ("reasoning", "effort"): {"none", "minimal", "low", "medium", "high", "xhigh", "max"},
    ("reasoning", "summary"): {"auto", "concise", "detailed"},
    ("text", "verbosity"): {"low", "medium", "high"},
    ("tool_choice",): {"auto", "none", "required"},
}


def check_settings(body: dict[str, Any]) -> None:
    """Check the parameters of a request.

    Raises:
        InvalidRequest: one is unknown, or holds what it may not.
    """
    for name in body:
        if name not in PARAMETERS:
            raise InvalidRequest(f"Unknown parameter: '{name}'.", code="unknown_parameter", param=name)
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise InvalidRequest("you must provide a model parameter")
    for path, allowed in CHOICES.items():
        _check_choice(body, path, allowed)
    for value in body.get("include") or ():
        if value not in INCLUDABLE:
            raise InvalidRequest(f"Invalid value: '{value}'.", param="include", code="invalid_value")
    room = body.get("max_output_tokens")
    if room is not None and room < MIN_OUTPUT_TOKENS:
        raise InvalidRequest(
            f"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= "
            f"{MIN_OUTPUT_TOKENS}, but got {room} instead.",
            code="integer_below_min_value",
            param="max_output_tokens",
        )
    _check_tools(body)


def _check_choice(body: dict[str, Any], path: tuple[str, ...], allowed: set[str]) -> None:
    value: Any = body
    for key in path:
        inside = as_object(value)
        value = inside.get(key) if inside else None
    if isinstance(value, str) and value not in allowed:
        place = ".".join(path)
        raise InvalidRequest(
            f"Invalid value: '{value}'. Supported values are: {', '.join(sorted(allowed))}.",
            code="invalid_value",
            param=place,
        )


def _check_tools(body: dict[str, Any]) -> None:
    names: list[str] = []
    for index, tool in enumerate(body.get("tools") or ()):
        place = f"tools[{index}]"
        kind = tool.get("type")
        if kind == "function":
            names.append(_check_function(place, tool))
            continue
        if kind not in HOSTED_TOOLS:
            raise InvalidRequest(f"Invalid value: '{kind}'.", code="invalid_value", param=f"{place}.type")
        _check_known(place, tool, HOSTED_TOOLS[kind])
    if len(names) != len(set(names)):
        raise InvalidRequest("Tool names must be unique.", param="tools")


def _check_function(place: str, tool: dict[str, Any]) -> str:
    _check_known(place, tool, {"type", "name", "description", "parameters", "strict"})
    name = tool.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InvalidRequest(
            f"Invalid '{place}.name': string does not match pattern. Expected a string that matches the "
            f"pattern '^{NAME.pattern}$'.",
            code="invalid_value",
            param=f"{place}.name",
        )
    check_schema(name, tool.get("parameters"), f"{place}.parameters", strict=bool(tool.get("strict")))
    return name


def _check_known(place: str, given: dict[str, Any], known: set[str]) -> None:
    for name in given:
        if name not in known:
            raise InvalidRequest(
                f"Unknown parameter: '{place}.{name}'.", code="unknown_parameter", param=f"{place}.{name}"
            )
