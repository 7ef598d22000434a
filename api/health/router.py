"""Probes and metrics."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response

from api.requests import json_answer
from api.services import Services, services_of
from api.temporal_gateway import Unavailable
from models.store.reading import ping as ping_database
from runtime.redis import ping as ping_redis

router = APIRouter(tags=["operation"])

_CHECK_SECONDS = 1.0


class Readiness(BaseModel):
    """Which parts can be used: `ok`, or what is wrong."""

    ready: bool
    parts: dict[str, str] = Field(
        examples=[{"postgres": "ok", "redis": "ok", "temporal": "ok", "worker": "no worker polls the queue"}]
    )


@router.get("/healthz", operation_id="getHealth")
async def healthz() -> dict[str, str]:
    """The process is up. Says nothing of what it depends on."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    operation_id="getReadiness",
    responses={200: {"model": Readiness}, 503: {"model": Readiness}},
)
async def readyz(request: Request) -> Response:
    """Whether chats can be made and answered, and if not, which part is missing."""
    services = services_of(request)
    names = ("postgres", "redis", "temporal", "worker")
    outcomes = await asyncio.gather(
        _outcome(ping_database(services.engine)),
        _outcome(ping_redis(services.redis)),
        _outcome(services.gateway.ping()),
        _outcome(_worker(services)),
    )
    parts = dict(zip(names, outcomes, strict=True))
    ready = all(outcome == "ok" for outcome in outcomes)
    return json_answer({"ready": ready, "parts": parts}, 200 if ready else 503)


@router.get("/metrics", operation_id="getMetrics", response_class=Response)
async def metrics() -> Response:
    """Prometheus metrics."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


class _Missing(Exception):
    pass


async def _outcome(check: Awaitable[Any]) -> str:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await check
    except TimeoutError:
        return f"does not answer within {_CHECK_SECONDS:g} s"
    except _Missing as error:
        return str(error)
    except (SQLAlchemyError, RedisError, OSError, Unavailable):
        return "cannot be reached"  # why is in the logs; an address is not for everybody
    return "ok"


async def _worker(services: Services) -> None:
    if not await services.gateway.has_worker():
        raise _Missing("no worker polls the task queue")
