"""Requests to one server, repeated until they are answered."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import httpx2

from perdure.client.discovery import HOW_TO_START, RESTART_SECONDS, Server
from perdure.client.errors import ApiError, NoServer, ProtocolError

PREFIX = "/api/v2"
_BACKOFF_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.0)
_TIMEOUT = httpx2.Timeout(30.0, connect=5.0)

Notify = Callable[[str], None]
"""Is told, in a sentence, what a request waits for."""


class Connection:
    """HTTP to one server.

    A request is repeated, with growing pauses, when there was no answer, when the answer is that the server
    is not ready (503), and when it names a time to wait (429 with `Retry-After`), all for as long as the
    server may be expected back. Every request that changes something carries an `Idempotency-Key`, the same
    for each of its tries.

    Args:
        server: Where, and with which token.
        notify: Is told when a request has to be repeated.
    """

    def __init__(self, server: Server, notify: Notify | None = None) -> None:
        self.server = server
        self._notify = notify or _to_nobody
        self._met = False
        self.http = httpx2.AsyncClient(
            base_url=server.url,
            headers={"Authorization": f"Bearer {server.token}", "User-Agent": "perdure-client"},
            timeout=_TIMEOUT,
            # each stream holds a connection for as long as it is read
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20),
            # a proxy for the outside world is not meant for a server on this machine
            trust_env=httpx2.URL(server.url).host not in ("127.0.0.1", "localhost", "::1"),
        )

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
        patience_seconds: float | None = None,
    ) -> Any:
        """The answer to a request, as JSON; None if it has no body. Raises also what `send` raises.

        Args:
            method: HTTP method.
            path: Below `/api/v2`.
            json: Body.
            params: Query; those that are None are left out.
            key: Idempotency key; by default a new one for each request that changes something.
            patience_seconds: For how long to repeat it. Default: as long as a restart takes.

        Raises:
            ProtocolError: The answer is not JSON.
        """
        headers = {} if method == "GET" else {"Idempotency-Key": key or str(uuid4())}
        query = {name: value for name, value in (params or {}).items() if value is not None}
        request = self.http.build_request(
            method, PREFIX + path, json=json, params=query or None, headers=headers
        )
        response = await self.send(request, patience_seconds)
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError as error:
            raise ProtocolError(f"{self.server.url} answers with something that is not JSON.") from error

    async def send(self, request: httpx2.Request, patience: float | None = None) -> httpx2.Response:
        """The good answer to a request, whatever it holds.

        Raises:
            ApiError: The answer is an error.
            NoServer: Nobody answered in time.
        """
        tries, first_failure = 0, 0.0
        while True:
            refusal: ApiError | None = None
            try:
                response = await self.http.send(request)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                trouble = f"no answer from {self.server.url} ({_reason(error)})"
            except httpx2.TransportError as error:
                self._met = True
                trouble = f"the connection to {self.server.url} broke ({_reason(error)})"
            else:
                self._met = True
                if response.is_success:
                    return response
                refusal = ApiError.from_answer(response.status_code, response.content, response.headers)
                if not _passes(refusal):
                    raise refusal
                trouble = refusal.message
            if tries == 0:
                first_failure = time.monotonic()
                self._notify(f"{trouble}; trying again")
            pause = _BACKOFF_SECONDS[min(tries, len(_BACKOFF_SECONDS) - 1)]
            if refusal is not None and refusal.retry_after is not None and refusal.status == 429:
                pause = refusal.retry_after
            # whoever was there a moment ago is expected back
            limit = patience or (RESTART_SECONDS if self._met else self.server.patience_seconds)
            if time.monotonic() - first_failure + pause > limit:
                raise refusal or NoServer(f"{trouble}. Gave up after {tries + 1} tries.\n{HOW_TO_START}")
            await asyncio.sleep(pause)
            tries += 1


def _passes(refusal: ApiError) -> bool:
    """Whether an error is one that goes away by waiting."""
    return refusal.status == 503 or (refusal.status == 429 and refusal.retry_after is not None)


def _reason(error: httpx2.TransportError) -> str:
    return str(error) or type(error).__name__


def _to_nobody(text: str) -> None:
    """Notify nobody."""
