"""What can go wrong between a client and the API, in words for the person who waits."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

from perdure.client.shapes import ChatFailure


class PerdureError(Exception):
    """Something that was asked for did not happen. The message says why and what to do next."""


class NoServer(PerdureError):
    """Nobody answers."""


class ProtocolError(PerdureError):
    """What came is nothing that an API of Perdure says."""


class TurnFailed(PerdureError):
    """The chat rests in `error`. The message that was being answered is in it; say more to go on.

    Attributes:
        failure: Why.
    """

    def __init__(self, failure: ChatFailure) -> None:
        super().__init__(f"{failure.message}\n{failure.detail}" if failure.detail else failure.message)
        self.failure = failure


class MessageWithdrawn(PerdureError):
    """The message was taken out of the queue before its turn came."""


class ApiError(PerdureError):
    """The API answered with an error.

    Attributes:
        status: HTTP status.
        message: What is wrong.
        detail: Where, or what to do next.
        validations: Pairs of field and what is wrong with it.
        retry_after: In how many seconds to try again, if the server has said so.
        request_id: By which the server's logs name the request.
    """

    _of_status: ClassVar[dict[int, "type[ApiError]"]] = {}

    def __init_subclass__(cls, *, status: int) -> None:
        cls._of_status[status] = cls

    def __init__(
        self,
        status: int,
        message: str,
        detail: str | None = None,
        validations: Sequence[tuple[str, str]] = (),
        *,
        retry_after: float | None = None,
        request_id: str | None = None,
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
        self.retry_after = retry_after
        self.request_id = request_id

    @staticmethod
    def from_answer(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> "ApiError":
        """Read an error answer, in our own shape or in whatever a proxy in between has written."""
        headers = headers or {}
        kind = ApiError._of_status.get(status, ApiError)
        more: Any = {
            "retry_after": _seconds(headers.get("retry-after")),
            "request_id": headers.get("x-request-id"),
        }
        try:
            fields: Any = json.loads(body)
        except ValueError:
            fields = None
        if not isinstance(fields, dict) or "message" not in fields:
            return kind(status, f"The server answered with HTTP status {status}.", **more)
        error = cast(dict[str, Any], fields)
        validations = [(str(v["field"]), str(v["detail"])) for v in error.get("validations") or ()]
        return kind(status, str(error["message"]), error.get("detail"), validations, **more)


class BadRequest(ApiError, status=400):
    """The request breaks a rule; `validations` names the field."""


class NotAuthenticated(ApiError, status=401):
    """The token is missing or not valid."""


class Forbidden(ApiError, status=403):
    """The token is valid, and not for this."""


class NotFound(ApiError, status=404):
    """There is no such thing, or it is not yours."""


class Conflict(ApiError, status=409):
    """The chat is in no state for this."""


class TooLarge(ApiError, status=413):
    """The body is too large."""


class KeyReused(ApiError, status=422):
    """The idempotency key came with another body before."""


class RateLimited(ApiError, status=429):
    """Too much at once: too many requests (then there is a `retry_after`), or a full queue."""


class ServerFault(ApiError, status=500):
    """The server's own fault; report it with the `request_id`."""


class Unavailable(ApiError, status=503):
    """Something behind the API is away for now, and was so for as long as the client was patient."""


def _seconds(header: str | None) -> float | None:
    """`Retry-After` in seconds; its other form, a date, is not sent by us."""
    return float(header) if header and header.isascii() and header.isdigit() else None
