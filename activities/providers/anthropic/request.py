"""A neutral request in the form of the Messages API. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from activities.providers.anthropic.kept import container_of
from activities.providers.anthropic.messages import wire_messages
from activities.providers.anthropic.settings import beta_features, settings
from activities.providers.anthropic.tools import KINDS, tool_fields
from activities.providers.protocol import ModelRequest, PromptMessage

CACHED_MESSAGES = 2

Block = dict[str, Any]

_EPHEMERAL = {"type": "ephemeral"}
_CAN_BE_MARKED = ("text", "image", "document", "tool_use", "tool_result")
"""Types, or ends of them, on which the vendor takes a cache point."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What an endpoint makes of the protocol.

    Attributes:
        namespace: name under which its metadata is kept. Endpoints of one name understand each other's
            signatures.
        run_by_vendor: kinds of tools that it runs by itself.
        max_request_bytes: of a body that it takes.
    """

    namespace: str
    run_by_vendor: frozenset[str] = KINDS
    max_request_bytes: int = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class WireRequest:
    """The body of `POST /v1/messages`, without `stream`, and the names of the beta features it uses."""

    body: dict[str, Any]
    betas: list[str]


def wire_request(request: ModelRequest, dialect: Dialect, now: datetime) -> WireRequest:
    """A request as this endpoint takes it.

    Nothing of `request` is changed or shared in a way that marks could leak into it.

    Args:
        now: aware time, to tell whether a container is still there.

    Raises:
        ValueError: a message holds a role or a part that has no wire form.
    """
    system = [{"type": "text", "text": text} for text in request.system if text.strip()]
    messages = wire_messages(
        request.messages,
        dialect.namespace,
        provider_calls=bool(dialect.run_by_vendor),
        sends_reasoning=request.options.provider_options.anthropic.send_reasoning is not False,
    )
    _mark(system[-1:])
    for message in messages[-CACHED_MESSAGES:]:
        _mark([block for block in message["content"] if block["type"].endswith(_CAN_BE_MARKED)][-1:])
    body: dict[str, Any] = {"model": request.model, "messages": messages, **settings(request)}
    if system:
        body["system"] = system
    body |= tool_fields(request, dialect.run_by_vendor)
    container = _container(request.messages, dialect, now)
    if container is not None:
        body["container"] = container
    return WireRequest(body, beta_features(request, body))


def _container(messages: Sequence[PromptMessage], dialect: Dialect, now: datetime) -> str | None:
    """The newest container that something ran in and that is still there."""
    if "code_execution" not in dialect.run_by_vendor:
        return None
    for part in _newest_first(messages):
        container = container_of(dialect.namespace, part)
        if container is not None:
            expires_at = container.get("expires_at")
            gone = expires_at is not None and datetime.fromisoformat(expires_at) <= now
            return None if gone else container["id"]
    return None


def _newest_first(messages: Sequence[PromptMessage]) -> Iterable[dict[str, Any]]:
    for message in reversed(messages):
        yield from reversed(message.parts)


def _mark(last_block: Sequence[Block]) -> None:
    """Set a cache point on the block, if there is one: all that is before it is cached with it."""
    for block in last_block:
        block["cache_control"] = dict(_EPHEMERAL)
