"""Reading a model's answer under guard: one that does not begin, or falls silent, is given up."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from activities import metrics
from activities.providers.failures import provider_failure
from activities.providers.protocol import ModelCallError, ModelEvent, ModelProvider, ModelRequest
from models.failures import Failure, FailureKind


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a model may say nothing: before the first part, and between two."""

    first_part_seconds: float
    silence_seconds: float


async def listen(
    provider: ModelProvider, request: ModelRequest, patience: Patience, take: Callable[[ModelEvent], None]
) -> None:
    """Send a request and hand over every event of the answer, up to and including the last.

    Raises:
        ModelCallError: it failed, or was given up.
    """
    loop = asyncio.get_running_loop()
    opened = loop.time()
    silent = True
    metrics.CHATS.labels("waiting").inc()
    try:
        async with asyncio.timeout(patience.first_part_seconds) as guard:
            async with provider.stream(request) as events:
                async for event in events:
                    guard.reschedule(loop.time() + patience.silence_seconds)
                    if silent:
                        silent = False
                        metrics.CHATS.labels("waiting").dec()
                        metrics.CHATS.labels("streaming").inc()
                        first_part = metrics.TIME_TO_FIRST_PART.labels(provider.label, request.model)
                        first_part.observe(loop.time() - opened)
                    take(event)
    except TimeoutError as err:
        raise ModelCallError(_silence(provider.label, before_first_part=silent)) from err
    finally:
        metrics.CHATS.labels("waiting" if silent else "streaming").dec()


def _silence(provider: str, *, before_first_part: bool) -> Failure:
    kind = FailureKind.STARTUP_TIMEOUT if before_first_part else FailureKind.STREAM_SILENCE_TIMEOUT
    return provider_failure(kind, provider, retryable=True)
