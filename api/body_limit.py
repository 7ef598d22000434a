"""The cap on request bodies, answered in our shape whether the length was announced or not."""

import re
from collections.abc import Mapping

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import too_large


class BodyLimit:
    """Refuses bodies of more than `max_bytes` without reading them to the end.

    Args:
        larger: Paths that take more, and how many bytes.
        elsewhere: Paths whose routes bound what they read by themselves.
    """

    def __init__(
        self, app: ASGIApp, max_bytes: int, larger: Mapping[str, int], elsewhere: re.Pattern[str]
    ) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.larger = larger
        self.elsewhere = elsewhere

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self.elsewhere.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
            return
        limit = self.larger.get(scope["path"], self.max_bytes)
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdigit() and int(announced) > limit:
            await too_large(limit).response()(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                # the one kind of error the framework passes on from here
                raise HTTPException(413, str(limit))
            return message

        await self.app(scope, counted, send)
