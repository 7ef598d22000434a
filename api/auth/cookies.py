"""The cookie of a signed-in browser, and the pages it may come from.

A browser sends the cookie along whoever wrote the page that makes the request. `SameSite=Lax` keeps it from
most of them; what is left is told apart by headers that a page cannot forge: `Sec-Fetch-Site`, and for older
browsers and for sockets `Origin`, which has to be this server's or one that CORS lets in. A request with
neither is refused: every browser sends one of them with a change.
"""

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from api.errors import ApiError
from api.services import services_of

COOKIE = "coder_session_token"


def refuse_foreign_page(connection: HTTPConnection) -> None:
    """Let only our own pages go on.

    Raises:
        ApiError: 403, the request comes from another site's page, or does not say from where.
    """
    origin = connection.headers.get("origin")
    if origin is not None and origin in services_of(connection).settings.allowed_origins:
        return
    site = connection.headers.get("sec-fetch-site")
    if site in ("same-origin", "none") if site is not None else _is_own(connection, origin):
        return
    raise ApiError(
        403,
        "A request with a cookie must come from a page of this server.",
        "Programs send their token as `Authorization: Bearer <token>` instead.",
    )


def _is_own(connection: HTTPConnection, origin: str | None) -> bool:
    """Whether an `Origin` names the host that the request was made to, whatever proxy is in between."""
    return origin is not None and urlsplit(origin).netloc == connection.headers.get("host")
