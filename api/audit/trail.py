"""Noting changes in the audit log, those that were refused as well.

A route that changes something takes a `Trail` (`Annotated[Trail, audited("write", "user")]`), tells it what
the change is about, and hands `trail.change(...)` to the query that makes the change, which writes the line
in its own transaction. When the route is refused instead, the trail writes that by itself.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import structlog
from fastapi import Depends
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import HTTPConnection

from api.auth.principals import CurrentCaller
from api.errors import ApiError
from api.services import services_of
from models.store.accounts import Caller
from models.store.audit import Change, write_rejected

log = structlog.get_logger("audit")


class Trail:
    """What one request is about to change."""

    def __init__(self, caller: Caller, action: str, target_type: str) -> None:
        self._caller = caller
        self._action = action
        self._target_type = target_type
        self._target = ("", "")
        self._organization_id: UUID | None = None
        self.known = False

    def about(self, target_id: object, name: str = "", *, organization_id: UUID | None = None) -> None:
        """Name what is to be changed. Until then a refusal is not noted: what it is about is not known."""
        self._target = (str(target_id), name)
        self._organization_id = organization_id
        self.known = True

    def change(self, fields: Mapping[str, Any] | None = None) -> Change:
        """The change. `fields`: their new values, as JSON, without secrets."""
        target_id, name = self._target
        return Change(
            user_id=self._caller.user_id,
            username=self._caller.username,
            action=self._action,
            target_type=self._target_type,
            target_id=target_id,
            target_name=name,
            organization_id=self._organization_id,
            request_id=str(structlog.contextvars.get_contextvars().get("request_id", "")),
            changes=dict(fields or {}),
        )


def audited(action: str, target_type: str) -> Any:
    """The dependency of a route that does this `action` to a thing of this type."""
    return Depends(_trail(action, target_type))


def _trail(action: str, target_type: str) -> Callable[..., AsyncGenerator[Trail]]:
    async def trail(connection: HTTPConnection, caller: CurrentCaller) -> AsyncGenerator[Trail]:
        async with watched(connection, Trail(caller, action, target_type)) as watching:
            yield watching

    return trail


@asynccontextmanager
async def watched(connection: HTTPConnection, trail: Trail) -> AsyncGenerator[Trail]:
    """Note it if what is done with the trail is refused."""
    try:
        yield trail
    except (ApiError, RequestValidationError) as error:
        status = error.status if isinstance(error, ApiError) else 400
        if trail.known and status < 500:
            await _note_rejected(connection, trail, status)
        raise


async def _note_rejected(connection: HTTPConnection, trail: Trail, status: int) -> None:
    try:
        await write_rejected(services_of(connection).engine, trail.change(), status)
    except (SQLAlchemyError, OSError) as error:
        # the refusal stands; there is nothing to undo
        log.warning("cannot note a refused change", error=type(error).__name__)
