"""What a call can ask of one vendor only (spec chat-loop.md 3.3): a block per vendor, every field typed.

`None`: not set, and then not sent. A key that is not known is refused where the configuration is made,
so that a typing error cannot pass for a setting.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from models.effort import Effort
from models.frozen_json import JsonObject, freeze

_Short = Annotated[str, Field(min_length=1, max_length=512)]
_Text = Annotated[str, Field(max_length=65536)]
_Names = Annotated[tuple[_Short, ...], Field(max_length=200)]
_Count = Annotated[int, Field(gt=0, le=2**31 - 1)]
_TopLogProbs = Annotated[int, Field(ge=0, le=20)]
_LogitBias = Annotated[
    Mapping[_Short, Annotated[int, Field(ge=-100, le=100)]], Field(max_length=2000), AfterValidator(freeze)
]
_Metadata = Annotated[Mapping[_Short, _Short], Field(max_length=16), AfterValidator(freeze)]


class Options(BaseModel):
    """A frozen object of settings: unknown keys are refused, null means not set."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        entries = cast("Mapping[str, Any]", given).items()
        return {key: value for key, value in entries if value is not None}

    def stored(self) -> dict[str, Any]:
        """The JSON form: what is not set is left out, decimals are text. Empty if nothing is set."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)


class McpServer(Options):
    """A server of tools that the vendor calls by itself.

    It has no token here: who may use a model may read how it is configured.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    url: Annotated[str, Field(pattern=r"^https://\S{1,2000}$")]
    allowed_tools: _Names | None = None


_McpServers = Annotated[tuple[McpServer, ...], Field(max_length=20)]


class OpenAIOptions(Options):
    """Also read by azure.

    Of these the Responses API alone takes include, instructions, max_tool_calls, reasoning_summary and
    strict_json_schema; Chat Completions alone logit_bias, max_completion_tokens, prediction and
    structured_outputs. `top_log_probs` beats `log_probs`.
    """

    include: _Names | None = None
    instructions: _Text | None = None
    logit_bias: _LogitBias | None = None
    log_probs: bool | None = None
    top_log_probs: _TopLogProbs | None = None
    max_tool_calls: _Count | None = None
    parallel_tool_calls: bool | None = None
    user: _Short | None = None
    reasoning_effort: Effort | None = None
    reasoning_summary: Literal["auto", "concise", "detailed"] | None = None
    max_completion_tokens: _Count | None = None
    text_verbosity: Literal["low", "medium", "high"] | None = None
    prediction: JsonObject | None = None
    store: bool = True
    metadata: _Metadata | None = None
    prompt_cache_key: _Short | None = None
    safety_identifier: _Short | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority"] | None = None
    structured_outputs: bool | None = None
    strict_json_schema: bool | None = None
    web_search_enabled: bool = False
    search_context_size: Literal["low", "medium", "high"] | None = None
    allowed_domains: _Names | None = None
    code_interpreter_enabled: bool = False
    vector_store_ids: _Names | None = None
    mcp_servers: _McpServers = ()


class ThinkingBudget(Options):
    """How many tokens the model may think, in the older form without an effort."""

    budget_tokens: Annotated[int, Field(ge=1024, le=2**31 - 1)]


class SearchOptions(Options):
    """Searches of the web that the vendor makes, and where it may find things."""

    web_search_enabled: bool = False
    allowed_domains: _Names | None = None
    blocked_domains: _Names | None = None

    @model_validator(mode="after")
    def _one_list_of_domains(self) -> Self:
        if self.allowed_domains and self.blocked_domains:
            raise ValueError("allowed_domains and blocked_domains exclude each other")
        return self


class AnthropicOptions(SearchOptions):
    """Also read by bedrock and vertex. `context_1m_enabled` asks for the long context by its beta header."""

    send_reasoning: bool | None = None
    thinking: ThinkingBudget | None = None
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    thinking_display: Literal["summarized", "omitted"] | None = None
    disable_parallel_tool_use: bool | None = None
    context_1m_enabled: bool = False
    web_fetch_enabled: bool = False
    code_execution_enabled: bool = False
    mcp_servers: _McpServers = ()


class GoogleThinking(Options):
    thinking_budget: Annotated[int, Field(ge=-1, le=2**31 - 1)] | None = None
    thinking_level: Literal["minimal", "low", "medium", "high"] | None = None
    include_thoughts: bool | None = None

    @model_validator(mode="after")
    def _budget_or_level(self) -> Self:
        if self.thinking_budget is not None and self.thinking_level is not None:
            raise ValueError("thinking_budget and thinking_level exclude each other")
        return self


class GoogleSafety(Options):
    category: _Short
    threshold: _Short


class GoogleOptions(Options):
    thinking_config: GoogleThinking = GoogleThinking()
    cached_content: _Short | None = None
    safety_settings: Annotated[tuple[GoogleSafety, ...], Field(max_length=32)] | None = None
    threshold: _Short | None = None
    web_search_enabled: bool = False


class OpenAICompatibleOptions(Options):
    user: _Short | None = None
    reasoning_effort: Effort | None = None


class RoutedReasoning(Options):
    """How openrouter and vercel are asked for reasoning."""

    enabled: bool | None = None
    exclude: bool | None = None
    max_tokens: _Count | None = None
    effort: Effort | None = None


class OpenRouterRouting(Options):
    """Which of its upstream providers openrouter may take."""

    order: _Names | None = None
    allow_fallbacks: bool | None = None
    require_parameters: bool | None = None
    data_collection: Literal["allow", "deny"] | None = None
    only: _Names | None = None
    ignore: _Names | None = None
    quantizations: _Names | None = None
    sort: _Short | None = None


class OpenRouterOptions(SearchOptions):
    reasoning: RoutedReasoning = RoutedReasoning()
    extra_body: JsonObject | None = None
    include_usage: bool | None = None
    logit_bias: _LogitBias | None = None
    log_probs: bool | None = None
    parallel_tool_calls: bool | None = None
    user: _Short | None = None
    provider: OpenRouterRouting = OpenRouterRouting()
    search_context_size: Literal["low", "medium", "high"] | None = None


class VercelRouting(Options):
    order: _Names | None = None
    models: _Names | None = None


class VercelOptions(Options):
    """Two names are spelled as vercel's gateway spells them."""

    reasoning: RoutedReasoning = RoutedReasoning()
    provider_options: VercelRouting = Field(default=VercelRouting(), alias="providerOptions")
    user: _Short | None = None
    logit_bias: _LogitBias | None = None
    logprobs: bool | None = None
    top_logprobs: _TopLogProbs | None = None
    parallel_tool_calls: bool | None = None
    extra_body: JsonObject | None = None


class ProviderOptions(Options):
    """A block per vendor; those of other vendors than the model's own are kept, and not sent."""

    openai: OpenAIOptions = OpenAIOptions()
    anthropic: AnthropicOptions = AnthropicOptions()
    google: GoogleOptions = GoogleOptions()
    openaicompat: OpenAICompatibleOptions = OpenAICompatibleOptions()
    openrouter: OpenRouterOptions = OpenRouterOptions()
    vercel: VercelOptions = VercelOptions()
