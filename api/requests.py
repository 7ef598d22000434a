"""Reading requests: what is the same at every door."""

import hashlib
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import Header
from pydantic import AfterValidator, BaseModel
from starlette.responses import Response

from api.errors import invalid
from api.services import Services
from models.deployment import PersonalModelOverrides
from models.effort import Effort, known_effort
from models.store.configuration import Override
from models.store.overrides import read_member_overrides

MAX_ID = 2**63 - 1
"""The highest id of a message."""

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Makes a repetition of this request harmless: it gets the answer of the first. "
        "1 to 255 printable characters, unique per caller, and per chat where there is one.",
    ),
]


def _of_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_of_utc)]
"""One without a zone is of UTC, whatever zone the database is in."""


def checked_key(key: str | None) -> str | None:
    """An idempotency key as it was sent.

    Raises:
        ApiError: 400, it is none.
    """
    if key is not None and not (0 < len(key) <= 255 and key.isprintable()):
        raise invalid(("Idempotency-Key", "Must have 1 to 255 printable characters."))
    return key


def request_hash(body: BaseModel, about: int | None = None) -> str:
    """What tells a repeated request from another one under the same key.

    Args:
        about: The id in the path, of routes that name more than a chat.
    """
    canonical = orjson.dumps(body.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
    if about is not None:
        canonical += f" about {about}".encode()
    return hashlib.sha256(canonical).hexdigest()


def command_hash(name: str, argument: BaseModel | None) -> str:
    """The same for a request whose path says all."""
    said = b"" if argument is None else orjson.dumps(argument.model_dump(mode="json"))
    return hashlib.sha256(name.encode() + b" " + said).hexdigest()


def key_reused() -> Exception:
    """The error for a key that came with another body before."""
    return invalid(
        ("Idempotency-Key", "Was used for a request with another body. Take a new key."), status=422
    )


def without_nul(field: str, text: str) -> str:
    """Text for a column that cannot hold NUL.

    Raises:
        ApiError: 400, it has one.
    """
    if "\0" in text:
        raise invalid((field, "Must not contain NUL characters."))
    return text


async def personal_choice(services: Services, organization_id: UUID, user_id: UUID) -> Override | None:
    """The model that a member chose for new chats, with its effort, where members may and it can be used
    (spec api.md 4.1)."""
    if not (await services.configuration.setting(PersonalModelOverrides)).allow_users:
        return None
    chosen = (await read_member_overrides(services.engine, organization_id, user_id)).get("root")
    if chosen is None or chosen.override is None:
        return None
    wanted = chosen.override.model_config_id
    usable = await services.availability.usable_model(organization_id, user_id, wanted)
    return chosen.override if usable else None


async def choose_model(services: Services, organization_id: UUID, user_id: UUID, wanted: UUID | None) -> UUID:
    """The model `wanted`, or with None the organization's default.

    Args:
        user_id: whose chat it is, and whose keys may be needed.

    Raises:
        ApiError: 400, there is none that may be used.
    """
    found = await services.availability.usable_model(organization_id, user_id, wanted)
    if found is not None:
        return found.id
    if wanted is None:
        raise invalid(
            ("model_config_id", "The organization has no default model. Set one up, or name a model.")
        )
    raise invalid(("model_config_id", "Is no model that you can use."))


def checked_effort(written: str | None) -> str | None:
    """A reasoning effort as it was asked for; None: nothing was asked.

    Raises:
        ApiError: 400, it is not on the scale.
    """
    if written is not None and known_effort(written) is None:
        raise invalid(("reasoning_effort", f"Must be one of {', '.join(Effort)}."))
    return written


def json_answer(content: Any, status: int = 200) -> Response:
    """A JSON answer, encoded as it is: what we made ourselves needs no second validation."""
    return Response(orjson.dumps(content), status, media_type="application/json")
