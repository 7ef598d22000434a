"""How a call is to be made: limits, sampling, thinking, and the beta features it needs. Pure."""

from collections.abc import Iterator
from typing import Any

from activities.providers.anthropic.traits import Thinking, Traits, traits_of
from activities.providers.protocol import ModelRequest, ToolChoice
from models.effort import Effort

MIN_THINKING_BUDGET_TOKENS = 1024

BUDGET_OF_EFFORT = {
    Effort.MINIMAL: 1024,
    Effort.LOW: 4096,
    Effort.MEDIUM: 8192,
    Effort.HIGH: 16_384,
    Effort.XHIGH: 24_576,
    Effort.MAX: 32_768,
}
"""Tokens to think in, for models that take no effort."""

_LEAST_TOP_P_BESIDE_THINKING = 0.95

INTERLEAVED_THINKING = "interleaved-thinking-2025-05-14"
CONTEXT_1M = "context-1m-2025-08-07"
MCP_CLIENT = "mcp-client-2025-11-20"


def settings(request: ModelRequest) -> dict[str, Any]:
    """The fields of the body beside the conversation and the tools. What is not configured is not sent."""
    traits = traits_of(request.model)
    effort = _effort(request, traits)
    thinking = _thinking(request, traits)
    body: dict[str, Any] = {"max_tokens": _max_tokens(request, thinking)}
    if thinking:
        body["thinking"] = thinking
    if effort:
        body["output_config"] = {"effort": effort.value}
    return body | _sampling(request, traits, thinks=bool(thinking))


def beta_features(request: ModelRequest, body: dict[str, Any]) -> list[str]:
    """What the header `anthropic-beta` must name for this body."""
    return list(_beta_features(request, body))


def _beta_features(request: ModelRequest, body: dict[str, Any]) -> Iterator[str]:
    if request.options.provider_options.anthropic.context_1m_enabled:
        yield CONTEXT_1M
    if (
        traits_of(request.model).interleaves_on_request
        and body.get("thinking", {}).get("type") == "enabled"
        and request.tools
    ):
        yield INTERLEAVED_THINKING
    if "mcp_servers" in body:
        yield MCP_CLIENT


def _asked_effort(request: ModelRequest) -> Effort | None:
    """The effort of the call, or else the one that the vendor's own block names."""
    own = request.options.provider_options.anthropic.effort
    return request.reasoning_effort or (Effort(own) if own else None)


def _effort(request: ModelRequest, traits: Traits) -> Effort | None:
    """The greatest effort that the model takes and that is not above the asked one, or else its least."""
    asked = _asked_effort(request)
    if asked is None or asked is Effort.NONE or not traits.efforts:
        return None
    within = [effort for effort in traits.efforts if effort.rank <= asked.rank]
    return within[-1] if within else traits.efforts[0]


def _thinking(request: ModelRequest, traits: Traits) -> dict[str, Any] | None:
    if (
        traits.thinking is Thinking.NEVER
        or request.reasoning_effort is Effort.NONE
        or _forces_a_tool(request)
    ):
        return None  # the vendor lets nobody think who must call a tool
    budget = _budget(request, traits)
    if traits.thinking is Thinking.ADAPTIVE:
        thinks = budget is not None or _asked_effort(request) is not None
        form: dict[str, Any] | None = {"type": "adaptive"} if thinks else None
    else:
        form = {"type": "enabled", "budget_tokens": budget} if budget is not None else None
    display = request.options.provider_options.anthropic.thinking_display
    return form | {"display": display} if form and display else form


def _budget(request: ModelRequest, traits: Traits) -> int | None:
    """Tokens to think in: as configured, or what the effort stands for where a model knows none."""
    own = request.options.provider_options.anthropic.thinking
    given = own.budget_tokens if own else request.thinking_budget_tokens
    if given is None and not traits.efforts:
        given = BUDGET_OF_EFFORT.get(_asked_effort(request) or Effort.NONE)
    return None if given is None else max(given, MIN_THINKING_BUDGET_TOKENS)


def _max_tokens(request: ModelRequest, thinking: dict[str, Any] | None) -> int:
    """The output limit. It must exceed the budget to think in: then the room for the answer comes on top."""
    room = request.max_output_tokens
    budget: int = (thinking or {}).get("budget_tokens", 0)
    return room if room > budget else room + budget


def _sampling(request: ModelRequest, traits: Traits, *, thinks: bool) -> dict[str, Any]:
    """What the model takes of it: the newer ones nothing, and nobody who thinks a temperature."""
    if not traits.sampling:
        return {}
    options = request.options
    top_p = options.top_p
    if thinks:
        takes_top_p = top_p is not None and top_p >= _LEAST_TOP_P_BESIDE_THINKING
        return {"top_p": top_p} if takes_top_p else {}
    given = {"temperature": options.temperature, "top_p": top_p, "top_k": options.top_k}
    # The vendor's scale ends where that of others goes on.
    if options.temperature is not None:
        given["temperature"] = min(options.temperature, 1.0)
    return {name: value for name, value in given.items() if value is not None}


def _forces_a_tool(request: ModelRequest) -> bool:
    return request.tool_choice not in (ToolChoice.AUTO, ToolChoice.NONE)
