"""Servers that speak Chat Completions, and where each differs: the demo model plays them all."""

from dataclasses import dataclass

_OPENAI_PARAMETERS = frozenset(
    {
        "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "messages",
        "metadata", "model", "n", "parallel_tool_calls", "prediction", "presence_penalty",
        "prompt_cache_key", "reasoning_effort", "response_format", "safety_identifier", "seed",
        "service_tier", "stop", "store", "stream", "stream_options", "temperature", "tool_choice", "tools",
        "top_logprobs", "top_p", "user", "verbosity", "web_search_options",
    }
)  # fmt: skip

_PLAIN_PARAMETERS = frozenset(
    {
        "frequency_penalty", "logit_bias", "max_tokens", "messages", "model", "parallel_tool_calls",
        "presence_penalty", "reasoning_effort", "response_format", "seed", "stop", "stream",
        "stream_options", "temperature", "tool_choice", "tools", "top_k", "top_p", "user",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Server:
    """What a server of this kind takes and tells.

    Attributes:
        reasoning: field of a delta in which reasoning is told; None if it is not.
        reasoning_details: whether reasoning comes in signed pieces, too, and is taken back.
        system_role: of the instructions.
        own_tools: types of tools that it runs by itself.
        usage_unasked: whether the usage comes without being asked for, in the last chunk with a choice.
    """

    parameters: frozenset[str] = _PLAIN_PARAMETERS
    reasoning: str | None = None
    reasoning_details: bool = False
    system_role: str = "system"
    usage_unasked: bool = False
    own_tools: frozenset[str] = frozenset()


SERVERS = {
    "/v1/chat/completions": Server(_OPENAI_PARAMETERS, system_role="developer"),
    "/azure/v1/chat/completions": Server(_OPENAI_PARAMETERS, system_role="developer"),
    "/openrouter/v1/chat/completions": Server(
        _PLAIN_PARAMETERS | {"reasoning", "provider", "usage", "plugins", "logprobs"},
        reasoning="reasoning",
        reasoning_details=True,
        own_tools=frozenset({"openrouter:web_search"}),
    ),
    "/vercel/v1/chat/completions": Server(
        _PLAIN_PARAMETERS | {"reasoning", "providerOptions", "logprobs", "top_logprobs"},
        reasoning="reasoning",
        reasoning_details=True,
    ),
    "/vllm/v1/chat/completions": Server(
        _PLAIN_PARAMETERS | {"chat_template_kwargs", "max_completion_tokens"}, reasoning="reasoning_content"
    ),
    "/deepseek/v1/chat/completions": Server(reasoning="reasoning_content"),
    "/ollama/v1/chat/completions": Server(reasoning="reasoning"),
    "/groq/v1/chat/completions": Server(
        _PLAIN_PARAMETERS | {"max_completion_tokens", "reasoning_format", "include_reasoning"},
        reasoning="reasoning",
    ),
    "/xai/v1/chat/completions": Server(
        _PLAIN_PARAMETERS | {"max_completion_tokens"}, reasoning="reasoning_content"
    ),
    "/google/v1/chat/completions": Server(
        _PLAIN_PARAMETERS | {"max_completion_tokens", "extra_body"}, usage_unasked=True
    ),
}
"""By the path of the route."""
