"""From the rows of a chat to a model request. Pure.

History may hold calls without a result (stored but not run, or lost with an older release); no vendor accepts
those, so the request is repaired here and the rows stay as they are.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from activities.prompt.chain import Link
from activities.prompt.provider_tools import configured
from activities.providers.protocol import ModelRequest, PromptMessage, ProviderTool, ToolSpec
from models.chat_model import ChatModel
from models.effort import Effort
from models.model_options import CallConfig, effective_effort
from models.parts import ToolCallPart, ToolResultPart, dump_part
from models.store.transcripts import TranscriptMessage

DEFAULT_MAX_OUTPUT_TOKENS = 32_000

NOT_RUN = "This tool call was not run, so it has no result. Call the tool again if you still need it."

_WITH_DATA = ("text", "args", "result", "content", "data")
"""Fields of a part whose size depends on what was said."""

StoredPart = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a request needs to know of the configured model.

    Attributes:
        name: the vendor's name of the model.
        max_output_tokens: limit of one answer.
        thinking_budget_tokens: room to reason in, None for no reasoning.
        reasoning_effort: of this chat on this model, as it is in effect.
        options: what the configuration says about calls of the model.
        provider_tools: what the vendor runs for the model, see `provider_tools.configured`.
        context_limit: tokens that it takes.
    """

    name: str
    max_output_tokens: int = DEFAULT_MAX_OUTPUT_TOKENS
    thinking_budget_tokens: int | None = None
    reasoning_effort: Effort | None = None
    options: CallConfig = CallConfig()
    provider_tools: Sequence[ProviderTool] = ()
    context_limit: int | None = None


def facts_of(model: ChatModel, effort: str | None) -> ModelFacts:
    """What a request needs to know of a model as it is configured, for a chat that asks for this effort."""
    config = model.config
    thinking = config.provider_options.anthropic.thinking
    return ModelFacts(
        model.model,
        config.max_output_tokens or DEFAULT_MAX_OUTPUT_TOKENS,
        thinking.budget_tokens if thinking else None,
        effective_effort(effort, config),
        config,
        configured(config, model.provider_type),
        model.context_limit,
    )


def assemble(
    transcript: Sequence[TranscriptMessage],
    model: ModelFacts,
    tools: Sequence[ToolSpec] = (),
    headers: Mapping[str, str] | None = None,
    *,
    user_prompt: str | None = None,
    link: Link | None = None,
) -> ModelRequest:
    """Make the request for the next step.

    Rows of role `system` become the leading system texts. Every tool call gets exactly one result before the
    conversation goes on: a missing one is made up as an error. A result whose call is lost gets a call, where
    somebody has asked for anything before; a further one of a call that was answered is left out.

    Args:
        transcript: rows as the model may see them, oldest first.
        headers: sent along, to tell gateways on the way whose chat this is.
        user_prompt: what the owner of the chat wants every model to know.
        link: where the vendor goes on with what it remembers; only what was said since is told then.
    """
    rows = link.rows if link else transcript
    system = [_system_text(row.parts) for row in rows if row.role == "system"]
    if user_prompt:
        system.append(f"<user-instructions>\n{user_prompt}\n</user-instructions>")
    conversation = (row for row in rows if row.role != "system")
    return ModelRequest(
        model=model.name,
        system=system,
        messages=list(_pair_calls(conversation)),
        tools=list(tools),
        max_output_tokens=model.max_output_tokens,
        thinking_budget_tokens=model.thinking_budget_tokens,
        reasoning_effort=model.reasoning_effort,
        provider_tools=model.provider_tools,
        options=model.options,
        context_limit=model.context_limit,
        previous_response_id=link.response_id if link else None,
        headers=dict(headers or {}),
    )


def prompt_size(request: ModelRequest) -> int:
    """Bytes of text and data in all parts of a request, without the layout around them."""
    parts = (part for message in request.messages for part in message.parts)
    return sum(map(_bytes_in, request.system)) + sum(
        _bytes_in(part[name]) for part in parts for name in _WITH_DATA if part.get(name)
    )


def _bytes_in(data: Any) -> int:
    return len(data.encode(errors="replace") if isinstance(data, str) else orjson.dumps(data))


def _system_text(parts: Iterable[StoredPart]) -> str:
    return "\n\n".join(part["text"] for part in parts if part["type"] == "text")


def _pair_calls(rows: Iterable[TranscriptMessage]) -> Iterable[PromptMessage]:
    open_calls: dict[str, StoredPart] = {}
    known: set[str] = set()
    begun = False
    for row in rows:
        begun = begun or row.role == "user"
        if row.role == "tool":
            lost = [part for part in row.parts if begun and _is_lost(part, known)]
            results = list(_take_results(row.parts, open_calls))
            if results:
                yield PromptMessage("tool", results)
            if lost:
                yield from _close(open_calls)
                open_calls = {}
                yield PromptMessage("assistant", [_call_of(part) for part in lost])
                yield PromptMessage("tool", lost)
                known.update(part["tool_call_id"] for part in lost)
            continue
        yield from _close(open_calls)
        yield PromptMessage(row.role, row.parts)
        open_calls = {part["tool_call_id"]: part for part in row.parts if _is_ours(part)}
        known.update(open_calls)
    yield from _close(open_calls)


def _is_ours(part: StoredPart) -> bool:
    """Whether this is a call that is not run by the vendor, who alone could tell its result."""
    return part["type"] == "tool-call" and not part.get("provider_executed")


def _is_lost(part: StoredPart, known: set[str]) -> bool:
    """Whether this is a result of a call that is nowhere in the conversation so far."""
    return part["type"] == "tool-result" and part["tool_call_id"] not in known


def _call_of(result: StoredPart) -> StoredPart:
    """A call for a result that has none. What it was called with is not known."""
    return dump_part(
        ToolCallPart(tool_call_id=result["tool_call_id"], tool_name=result["tool_name"], args={})
    )


def _take_results(parts: Iterable[StoredPart], open_calls: dict[str, StoredPart]) -> Iterable[StoredPart]:
    """The results that answer an open call, which is closed by it; other parts pass."""
    for part in parts:
        if part["type"] != "tool-result" or open_calls.pop(part["tool_call_id"], None):
            yield part


def _close(open_calls: dict[str, StoredPart]) -> Iterable[PromptMessage]:
    """One message with a made-up result for every call left open, if any, in call order."""
    if open_calls:
        yield PromptMessage("tool", [_not_run(call) for call in open_calls.values()])


def _not_run(call: StoredPart) -> StoredPart:
    return dump_part(
        ToolResultPart(
            tool_call_id=call["tool_call_id"], tool_name=call["tool_name"], result=NOT_RUN, is_error=True
        )
    )
