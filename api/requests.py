"""Reading requests: what is the same at every door."""

import hashlib
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import Header
from pydantic import BaseModel
from starlette.responses import Response

from api.errors import invalid
from api.services import Services

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Makes a repetition of this request harmless: it gets the answer of the first. "
        "1 to 255 printable characters, unique per caller and kind of request.",
    ),
]


def checked_key(key: str | None) -> str | None:
    """An idempotency key as it was sent.

    Raises:
        ApiError: 400, it is none.
    """
    if key is not None and not (0 < len(key) <= 255 and key.isprintable()):
        raise invalid(("Idempotency-Key", "Must have 1 to 255 printable characters."))
    return key


def request_hash(body: BaseModel) -> str:
    """What tells a repeated request from another one under the same key."""
    canonical = orjson.dumps(body.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()


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


def json_answer(content: Any, status: int = 200) -> Response:
    """A JSON answer, encoded as it is: what we made ourselves needs no second validation."""
    return Response(orjson.dumps(content), status, media_type="application/json")
