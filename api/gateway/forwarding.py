"""A request on its way to the vendor, and the answer on its way back, byte by byte.

The next piece is read when the last one has been taken: who reads slowly makes the vendor wait, and nothing
piles up here. A caller that hangs up, and one whose token is taken back, ends the request to the vendor.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from uuid import UUID

import httpx2
import structlog
from pydantic import SecretStr
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.auth.guard import StreamGuard
from api.errors import ApiError
from api.gateway.bodies import Held, sent_once
from api.gateway.errors import in_words_of
from api.gateway.headers import to_caller
from api.gateway.recording import MAX_CALL_SECONDS, OpenCall
from api.gateway.tap import PLAIN, Tap
from api.gateway.wires import Wire
from models.store.gateway_calls import Outcome

_TIMEOUT = httpx2.Timeout(connect=10.0, read=600.0, write=60.0, pool=30.0)
"""Seconds. A model may think for long before it says the first word, and answers in one piece take longer."""

_LIMITS = httpx2.Limits(max_connections=2000, max_keepalive_connections=200, keepalive_expiry=30.0)

_MAX_ERROR_BYTES = 256 * 1024

_FAILURES = (httpx2.HTTPError, httpx2.InvalidURL, OSError)
"""Of a connection to a vendor. Not all that comes from below the client is translated by it."""

log = structlog.get_logger("gateway")

_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.InvalidURL)


def open_vendor_client() -> httpx2.AsyncClient:
    """The client of a process, for all vendors: it knows no provider, no key and no cookie. So there is
    nothing in it that could become old, and nothing that one request could leave to another."""
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
    return httpx2.AsyncClient(timeout=_TIMEOUT, limits=_LIMITS, follow_redirects=False, cookies=no_cookies)


@dataclass(frozen=True, slots=True)
class Errand:
    """What is to be asked.

    Attributes:
        body: its pieces; they are used up when it is sent.
        held: the room that they take, given back when the vendor has begun to answer.
        provider: its name, for people.
        secret: the key, which must not be in what is answered.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: list[bytes] = field(repr=False)
    held: Held
    wire: Wire
    provider: str
    secret: SecretStr | None


class Passage(Response):
    """The answer to a request that passes through."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        errand: Errand,
        *,
        call: OpenCall | None,
        guard: StreamGuard,
        token_id: UUID,
    ) -> None:
        """Prepare; nothing is sent.

        Args:
            call: its record; None: it is not recorded.
            guard: ends it when the token is good for nothing any more.
        """
        super().__init__()
        self._client = client
        self._errand = errand
        self._call = call
        self._guard = guard
        self._token_id = token_id
        self._status: int | None = None
        self._outcome = Outcome.UNFINISHED
        self._was_free = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            ended = await self._until_it_ends(receive, send)
            if ended is not None and self._status is None:
                await self._tell(send, ended)
        finally:
            self._errand.held.let_go()
            await self._record()

    async def _until_it_ends(self, receive: Receive, send: Send) -> ApiError | None:
        """Ask, and pass the answer on, for as long as somebody wants it.

        Returns:
            Why it was ended here; None: it came to its end, or the caller is gone.
        """
        work = asyncio.create_task(self._pass_on(send))
        gone = asyncio.create_task(_hung_up(receive))
        taken_back: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            async with self._guard.watching(self._token_id, None, lambda: _settle(taken_back)):
                done, _ = await asyncio.wait(
                    {work, gone, taken_back}, timeout=MAX_CALL_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
        finally:
            taken_back.cancel()
            work.cancel()
            gone.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)
        if work in done:
            work.result()
        elif not done:
            return ApiError(504, f"{self._errand.provider} took too long.")
        elif gone not in done:
            return ApiError(401, "The token is not valid any more.")
        return None

    async def _pass_on(self, send: Send) -> None:
        try:
            response = await self._ask()
        except _FAILURES as error:
            self._outcome = Outcome.FAILED
            self._was_free = isinstance(error, _NEVER_SENT)
            await self._tell(send, _unreachable(self._errand.provider, error))
            return
        try:
            if response.is_success:
                await self._pass_back(response, send)
            else:
                self._outcome = Outcome.FAILED
                self._was_free = True
                await self._refuse(response, send)
        except _FAILURES as error:
            # the caller's connection ends in the middle as the vendor's did: it must not look whole
            log.info("an answer broke off", provider=self._errand.provider, error=type(error).__name__)
        finally:
            await response.aclose()

    async def _ask(self) -> httpx2.Response:
        errand = self._errand
        request = self._client.build_request(
            errand.method,
            errand.url,
            headers=errand.headers,
            content=sent_once(errand.body) if errand.body else None,
        )
        response = await self._client.send(request, stream=True)
        errand.held.let_go()
        return response

    async def _pass_back(self, response: httpx2.Response, send: Send) -> None:
        self._status = response.status_code
        await send(_start(response.status_code, to_caller(response.headers.multi_items())))
        tap = self._tap(response)
        async for piece in response.aiter_raw():
            if tap is not None:
                tap.feed(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if tap is not None:
            tap.end()
        self._outcome = _outcome_of(tap)
        await self._record()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _tap(self, response: httpx2.Response) -> Tap | None:
        if self._call is None:
            return None
        tap = self._call.tap
        tap.begin(content_type=response.headers.get("content-type", ""), encoding=_encoding(response))
        return tap

    async def _refuse(self, response: httpx2.Response, send: Send) -> None:
        """Pass an error on, without what the vendor says of the key."""
        status, name = response.status_code, self._errand.provider
        if status < 400:
            await self._tell(send, ApiError(502, f"{name} answered with a redirection."))
            return
        if status == 401:
            refused = (
                "The key with which this gateway asks was refused. An administrator has to enter a new one."
            )
            await self._tell(send, ApiError(401, f"{name}: {refused}"))
            return
        body = await _whole_error(response)
        if body is None:
            await self._tell(
                send, ApiError(status, f"{name} answered {status}, in words that cannot be passed on.")
            )
            return
        if self._errand.secret is not None:
            body = body.replace(self._errand.secret.get_secret_value().encode(), b"[key]")
        headers = [
            (key, value)
            for key, value in to_caller(response.headers.multi_items())
            if key != b"content-length"
        ]
        self._status = status
        await self._record()
        await send(_start(status, [*headers, (b"content-length", str(len(body)).encode())]))
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _tell(self, send: Send, error: ApiError) -> None:
        self._status = error.status
        await self._record()
        answer = in_words_of(self._errand.wire, error)
        await send(_start(error.status, answer.raw_headers))
        await send({"type": "http.response.body", "body": answer.body, "more_body": False})

    async def _record(self) -> None:
        if self._call is not None:
            await self._call.finish(self._outcome, self._status, was_free=self._was_free)


def _start(status: int, headers: list[tuple[bytes, bytes]]) -> dict[str, object]:
    return {"type": "http.response.start", "status": status, "headers": headers}


def _outcome_of(tap: Tap | None) -> Outcome:
    """Of an answer whose bytes have come to their end."""
    if tap is None or tap.broken or tap.findings.whole:
        return Outcome.COMPLETED
    return Outcome.FAILED if tap.findings.failed else Outcome.UNFINISHED


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _encoding(response: httpx2.Response) -> str:
    return response.headers.get("content-encoding", "").lower()


async def _whole_error(response: httpx2.Response) -> bytes | None:
    """The body of an error; None if it cannot be looked through, or is the page of some proxy on the way."""
    told_in_json = response.headers.get("content-type", "").startswith("application/json")
    if _encoding(response) not in PLAIN or not told_in_json:
        return None
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > _MAX_ERROR_BYTES:
            return None
    return bytes(body)


def _unreachable(provider: str, error: Exception) -> ApiError:
    """The text of the exception is not told: it may quote an address."""
    log.warning("a provider cannot be reached", provider=provider, error=type(error).__name__)
    if isinstance(error, httpx2.PoolTimeout):
        return ApiError(503, f"Too many calls of {provider} are under way.", headers={"Retry-After": "2"})
    if isinstance(error, httpx2.TimeoutException):
        return ApiError(504, f"{provider} did not answer in time.")
    return ApiError(502, f"{provider} cannot be reached.")
