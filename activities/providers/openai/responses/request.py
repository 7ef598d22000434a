"""A neutral request in the form of the Responses API. Pure."""

from typing import Any

from activities.providers.openai.content import parameters
from activities.providers.openai.responses.hosted import includes, wire_tools
from activities.providers.openai.responses.items import wire_items
from activities.providers.protocol import ModelRequest, ToolChoice, ToolSpec
from models.vendor_options import OpenAIOptions

MIN_OUTPUT_TOKENS = 16
"""The API refuses less."""

ENCRYPTED_REASONING = "reasoning.encrypted_content"
"""Always asked for: so reasoning survives where nothing is stored, and a change of mind about storing."""

_AS_THEY_ARE = (
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "prompt_cache_key",
    "safety_identifier",
    "service_tier",
    "user",
)


def wire_request(request: ModelRequest, label: str) -> dict[str, Any]:
    """The body of `POST /responses`. Nothing of `request` is changed or shared.

    Args:
        label: under which is stored what this endpoint wants back.

    Raises:
        ValueError: a message holds a role or a part that has no wire form.
    """
    options = request.options.provider_options.openai
    body: dict[str, Any] = {
        "model": request.model,
        "input": wire_items(request.messages, label, stored=options.store),
        "max_output_tokens": max(request.max_output_tokens, MIN_OUTPUT_TOKENS),
        "store": options.store,
        "include": _include(request, options),
        "stream": True,
    }
    instructions = [text for text in (options.instructions, *request.system) if text and text.strip()]
    if instructions:
        body["instructions"] = "\n\n".join(instructions)
    if request.previous_response_id is not None:
        body["previous_response_id"] = request.previous_response_id
    return body | _tools(request, options) | _sampling(request, options) | _reasoning(request, options)


def _include(request: ModelRequest, options: OpenAIOptions) -> list[str]:
    wanted = [ENCRYPTED_REASONING, *includes(request.provider_tools), *(options.include or ())]
    if options.log_probs or options.top_log_probs is not None:
        wanted.append("message.output_text.logprobs")
    return list(dict.fromkeys(wanted))


def _tools(request: ModelRequest, options: OpenAIOptions) -> dict[str, Any]:
    ours = [_function(tool, strict=bool(options.strict_json_schema)) for tool in request.tools]
    tools = [*ours, *wire_tools(request.provider_tools)]
    if not tools:
        return {}
    match request.tool_choice:
        case ToolChoice.AUTO:
            return {"tools": tools}
        case ToolChoice():
            return {"tools": tools, "tool_choice": request.tool_choice.value}
        case name:
            return {"tools": tools, "tool_choice": {"type": "function", "name": name}}


def _function(tool: ToolSpec, *, strict: bool) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": parameters(tool),
        "strict": strict,  # said also when it is not: this interface takes silence for consent
    }


def _sampling(request: ModelRequest, options: OpenAIOptions) -> dict[str, Any]:
    given: dict[str, Any] = {
        "temperature": request.options.temperature,
        "top_p": request.options.top_p,
        "top_logprobs": options.top_log_probs,
        **{name: getattr(options, name) for name in _AS_THEY_ARE},
        "text": {"verbosity": options.text_verbosity} if options.text_verbosity else None,
    }
    return {
        name: dict(value) if name == "metadata" else value
        for name, value in given.items()
        if value is not None
    }


def _reasoning(request: ModelRequest, options: OpenAIOptions) -> dict[str, Any]:
    effort = request.reasoning_effort or options.reasoning_effort
    given = {"effort": effort.value if effort else None, "summary": options.reasoning_summary}
    reasoning = {name: value for name, value in given.items() if value is not None}
    return {"reasoning": reasoning} if reasoning else {}
