"""What the protocol knows and this version does not do yet: refused by name, never silently ignored."""

from collections.abc import Sequence
from uuid import UUID

from pydantic import BaseModel

from api.errors import invalid

ZERO_UUID = UUID(int=0)


def refuse_unavailable(body: BaseModel, fields: Sequence[str]) -> None:
    """Let these fields be absent, null or empty only.

    Raises:
        ApiError: 400, naming every field that asks for something.
    """
    asked = [name for name in fields if getattr(body, name) and getattr(body, name) != ZERO_UUID]
    if asked:
        raise invalid(*[(name, "Is not available in this version.") for name in asked])
