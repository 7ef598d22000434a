"""What can go wrong between a client and the API, in words for the person who waits."""

import json
from collections.abc import Sequence
from typing import Any, cast

from cli.errors import CommandError


class ClientError(CommandError):
    """The request has no answer. The message says why and what to do next."""


class NoServer(ClientError):
    """Nobody answers."""


class Refused(ClientError):
    """The API answered with an error.

    Attributes:
        status: HTTP status.
        message: What is wrong.
        detail: Where, or what to do next.
        validations: Pairs of field and what is wrong with it.
    """

    def __init__(
        self,
        status: int,
        message: str,
        detail: str | None = None,
        validations: Sequence[tuple[str, str]] = (),
    ) -> None:
        lines = [message]
        if detail:
            lines.append(detail)
        # a single validation is often the detail once more
        lines += [f"  {line}" for line in (f"{f}: {text}" for f, text in validations) if line != detail]
        super().__init__("\n".join(lines))
        self.status = status
        self.message = message
        self.detail = detail
        self.validations = tuple(validations)

    @classmethod
    def from_body(cls, status: int, body: bytes) -> "Refused":
        """Read an error answer, in our own shape or in whatever a proxy in between has written."""
        try:
            fields: Any = json.loads(body)
        except ValueError:
            fields = None
        if not isinstance(fields, dict) or "message" not in fields:
            return cls(status, f"The server answered with HTTP status {status}.")
        error = cast(dict[str, Any], fields)
        validations = [(str(v["field"]), str(v["detail"])) for v in error.get("validations") or ()]
        return cls(status, str(error["message"]), error.get("detail"), validations)
