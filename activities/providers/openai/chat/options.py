"""The block of provider options that a server reads, and the effort it is asked for. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from activities.providers.openai.profiles import Options, Profile
from activities.providers.protocol import ModelRequest
from models.effort import Effort
from models.vendor_options import ProviderOptions, RoutedReasoning

_OPENAI_AS_THEY_ARE = (
    "logit_bias",
    "max_completion_tokens",
    "metadata",
    "parallel_tool_calls",
    "prediction",
    "prompt_cache_key",
    "safety_identifier",
    "service_tier",
    "user",
)


def vendor_settings(request: ModelRequest, profile: Profile) -> dict[str, Any]:
    """What the configuration asks of this kind of server beside sampling."""
    block = _BLOCKS[profile.options](request.options.provider_options)
    of_model = block.pop("reasoning_effort", None)
    extra: Mapping[str, Any] = block.pop("extra_body", None) or {}
    settings = {name: _plain(value) for name, value in {**extra, **block}.items() if value is not None}
    asked = request.reasoning_effort or of_model
    return settings | (_effort(asked, settings, profile, request.model) if asked else {})


def _effort(asked: Effort, settings: Mapping[str, Any], profile: Profile, model: str) -> dict[str, Any]:
    """How the effort is asked for; not at all where the configuration gives a budget, which excludes it."""
    match profile.effort:
        case "reasoning":
            routed: dict[str, Any] = settings.get("reasoning") or {}
            return {} if "max_tokens" in routed else {"reasoning": {**routed, "effort": asked.value}}
        case "reasoning_effort":
            budgeted = profile.options == "google" and "extra_body" in settings
            return {} if budgeted else {"reasoning_effort": taken_effort(asked, profile, model).value}
        case None:
            return {}


def taken_effort(asked: Effort, profile: Profile, model: str) -> Effort:
    """The effort that the server takes instead of the one asked for: the nearest below, or the lowest."""
    scale = profile.efforts or tuple(Effort)
    if profile.options == "google":
        scale = _gemini_efforts(model)
    below = [effort for effort in scale if effort.rank <= asked.rank]
    return max(below or scale[:1], key=lambda effort: effort.rank)


def _gemini_efforts(model: str) -> tuple[Effort, ...]:
    name = model.rpartition("/")[2]
    low_to_high = (Effort.LOW, Effort.MEDIUM, Effort.HIGH)
    if name.startswith(("gemini-1", "gemini-2")):
        return low_to_high if "pro" in name else (Effort.NONE, *low_to_high)
    return low_to_high if "pro" in name else (Effort.MINIMAL, *low_to_high)


def _openai(options: ProviderOptions) -> dict[str, Any]:
    block = options.openai
    top = block.top_log_probs
    return {
        **{name: getattr(block, name) for name in _OPENAI_AS_THEY_ARE},
        "reasoning_effort": block.reasoning_effort,
        "verbosity": block.text_verbosity,
        "logprobs": True if top is not None else block.log_probs,
        "top_logprobs": top,
        # On by default for the other interface; here it means another thing, and must be asked for.
        "store": block.store if "store" in block.model_fields_set else None,
    }


def _google(options: ProviderOptions) -> dict[str, Any]:
    block = options.google
    given = {
        "thinking_config": block.thinking_config.model_dump(exclude_none=True) or None,
        "cached_content": block.cached_content,
    }
    google = {name: value for name, value in given.items() if value is not None}
    # A literal `extra_body` in the body: that is how this server is told what the protocol has no word for.
    return {"extra_body": {"extra_body": {"google": google}}} if google else {}


def _openai_compatible(options: ProviderOptions) -> dict[str, Any]:
    block = options.openaicompat
    return {"user": block.user, "reasoning_effort": block.reasoning_effort}


def _openrouter(options: ProviderOptions) -> dict[str, Any]:
    block = options.openrouter
    return {
        "logit_bias": block.logit_bias,
        "logprobs": block.log_probs,
        "parallel_tool_calls": block.parallel_tool_calls,
        "user": block.user,
        "provider": block.provider.model_dump(mode="json", exclude_none=True) or None,
        "usage": None if block.include_usage is None else {"include": block.include_usage},
        "reasoning": _routed(block.reasoning),
        "extra_body": block.extra_body,
    }


def _vercel(options: ProviderOptions) -> dict[str, Any]:
    block = options.vercel
    routing = block.provider_options.model_dump(mode="json", exclude_none=True)
    return {
        "logit_bias": block.logit_bias,
        "logprobs": block.logprobs,
        "top_logprobs": block.top_logprobs,
        "parallel_tool_calls": block.parallel_tool_calls,
        "user": block.user,
        "providerOptions": {"gateway": routing} if routing else None,
        "reasoning": _routed(block.reasoning),
        "extra_body": block.extra_body,
    }


def _routed(reasoning: RoutedReasoning) -> dict[str, Any] | None:
    return reasoning.model_dump(mode="json", exclude_none=True) or None


_BLOCKS: dict[Options, Callable[[ProviderOptions], dict[str, Any]]] = {
    "openai": _openai,
    "google": _google,
    "openaicompat": _openai_compatible,
    "openrouter": _openrouter,
    "vercel": _vercel,
}


def _plain(value: Any) -> Any:
    """A value that nobody else holds: options are frozen and shared."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value  # pyright: ignore[reportUnknownVariableType]
