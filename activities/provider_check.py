"""A small call to a provider, and what it teaches: whether the key is taken, the model known, tools allowed.

A second, smaller call is made only where the first was refused: to tell a model without tools from one that
cannot be called at all.
"""

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from temporalio import activity

from activities.answer import AnswerBuilder
from activities.heartbeat import beating
from activities.listening import Patience, listen
from activities.prompt.assemble import assemble, facts_of
from activities.providers.directory import ProviderDirectory
from activities.providers.failures import provider_failure
from activities.providers.headers import request_headers
from activities.providers.protocol import ModelCallError, ModelEvent, ModelRequest, ToolSpec
from models.chat_model import ChatModel
from models.failures import Failure, FailureKind
from models.provider_check import DETAIL_SECONDS, ProviderCheck, ProviderChecked, detail_key
from models.store.transcripts import TranscriptMessage

log = structlog.get_logger(__name__)

_QUESTION = "This is a test of the connection. Answer with the one word: ready."
_OUTPUT_TOKENS = 1024
"""Room enough for models that think before they say a word."""

LIMIT_SECONDS = 30.0
_PATIENCE = Patience(LIMIT_SECONDS, LIMIT_SECONDS)
_TOOL = ToolSpec(
    "note_word",
    "Notes a word. Not needed to answer.",
    {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
)


@dataclass(frozen=True)
class ProviderChecks:
    """Makes checks. `redis` takes what providers say of failures to whoever asked."""

    directory: ProviderDirectory
    redis: Redis

    @activity.defn
    async def check_provider(self, check: ProviderCheck) -> ProviderChecked:
        async with beating():
            try:
                model = await self.directory.model_of_provider(
                    check.provider_id, check.model, check.model_config_id
                )
                async with asyncio.timeout(LIMIT_SECONDS):
                    return await self._ask(check, model)
            except TimeoutError:
                return await self._failed(check, provider_failure(FailureKind.TIMEOUT, "provider"))
            except ModelCallError as err:
                return await self._failed(check, err.failure)
            except Exception as err:
                log.exception("check of a provider failed unexpectedly", error=type(err).__name__)
                return await self._failed(check, provider_failure(FailureKind.GENERIC, "provider"))

    async def _ask(self, check: ProviderCheck, model: ChatModel) -> ProviderChecked:
        question = TranscriptMessage(1, "user", [{"type": "text", "text": _QUESTION}], None)
        facts = replace(facts_of(model, None), max_output_tokens=_OUTPUT_TOKENS)
        request = assemble([question], facts, [_TOOL], request_headers(check.user_id, check.id))
        try:
            return (await self._call(check, model, request)).model_copy(update={"accepts_tools": True})
        except ModelCallError as err:
            if err.failure.kind is not FailureKind.CONFIG or err.failure.status_code is None:
                raise
        without = await self._call(check, model, replace(request, tools=[], provider_tools=()))
        return without.model_copy(update={"accepts_tools": False})

    async def _call(self, check: ProviderCheck, model: ChatModel, request: ModelRequest) -> ProviderChecked:
        builder = AnswerBuilder(_now)
        began = time.monotonic()
        first: float | None = None

        def take(event: ModelEvent) -> None:
            nonlocal first
            first = first or time.monotonic() - began
            builder.add(event)

        async with self.directory.calling(model, check.user_id) as provider:
            await listen(provider, request, _PATIENCE, take)
        assert builder.finish is not None, "the protocol raises for a stream without its end"
        return ProviderChecked(
            answered_by=_answered_by(builder.finish.metadata),
            seconds=round(time.monotonic() - began, 3),
            first_part_seconds=None if first is None else round(first, 3),
            usage=builder.finish.usage.stored(),
        )

    async def _failed(self, check: ProviderCheck, failure: Failure) -> ProviderChecked:
        if failure.detail:
            client = cast(Any, self.redis)
            try:
                await client.set(detail_key(check.id), failure.detail, ex=DETAIL_SECONDS)
            except (RedisError, OSError) as error:
                log.info("details of a check were not told", error=type(error).__name__)
        return ProviderChecked(failed=failure.kind, message=failure.message)


def _answered_by(metadata: Any) -> str | None:
    """The model that the vendor names in its answer."""
    if not isinstance(metadata, dict):
        return None
    told = cast(dict[str, Any], metadata)
    for place in (told, told.get("message"), told.get("response")):
        name: Any = cast(dict[str, Any], place).get("model") if isinstance(place, dict) else None
        if isinstance(name, str) and name:
            return name[:200]
    return None


def _now() -> datetime:
    return datetime.now(UTC)
