"""A small OpenID provider: real HTTP, real keys, and as wrong as a test wants it."""

import asyncio
import hashlib
import hmac
import json
import socket
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import uuid4

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT_ID = "perdure-tests"
CLIENT_SECRET = "between-us"

Claims = dict[str, Any]


def new_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": uuid4().hex, "alg": "RS256", "use": "sig"})


def _packed(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


@dataclass
class Provider:
    """Lets everybody in as `person`. It signs with the key `sign`, and shows those in `published`."""

    url: str
    person: Claims = field(default_factory=lambda: {"sub": uuid4().hex})
    sign: Any = field(default_factory=new_key)
    published: list[Any] = field(default_factory=list[Any])
    algorithm: str = "RS256"
    issuer: str = ""
    codes: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])

    def __post_init__(self) -> None:
        self.published = self.published or [self.sign]
        self.issuer = self.issuer or self.url

    def id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce}
        told = {name: value for name, value in {**claims, **self.person}.items() if value is not None}
        header = {"alg": self.algorithm, "kid": self.sign.kid}
        if self.algorithm == "RS256":
            return jwt.encode(header, told, self.sign, [self.algorithm])
        # by hand: no library makes these any more
        body = b".".join(_packed(json.dumps(part).encode()) for part in (header, told))
        public = self.sign.as_pem(private=False)
        seal = hmac.digest(public, body, "sha256") if self.algorithm == "HS256" else b""
        return b".".join([body, _packed(seal)]).decode()


def application(provider: Provider) -> FastAPI:
    app = FastAPI()

    @app.get("/.well-known/openid-configuration")
    async def configuration() -> Claims:  # pyright: ignore[reportUnusedFunction]
        return {
            "issuer": provider.issuer,
            "authorization_endpoint": f"{provider.url}/authorize",
            "token_endpoint": f"{provider.url}/token",
            "jwks_uri": f"{provider.url}/keys",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        }

    @app.get("/keys")
    async def keys() -> Any:  # pyright: ignore[reportUnusedFunction]
        return KeySet(list(provider.published)).as_dict(private=False)

    @app.get("/authorize")
    async def authorize(  # pyright: ignore[reportUnusedFunction]
        client_id: str,
        redirect_uri: str,
        response_type: str,
        scope: str,
        state: str,
        nonce: str,
        code_challenge: str,
        code_challenge_method: str,
    ) -> Response:
        assert (client_id, response_type, code_challenge_method) == (CLIENT_ID, "code", "S256")
        assert "openid" in scope.split()
        code = uuid4().hex
        provider.codes[code] = {"nonce": nonce, "challenge": code_challenge, "redirect": redirect_uri}
        return RedirectResponse(f"{redirect_uri}?{urlencode({'code': code, 'state': state})}", 302)

    @app.post("/token")
    async def token(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        form = dict(parse_qsl((await request.body()).decode()))
        known = provider.codes.pop(form["code"], None)
        proof = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = _packed(proof).decode()
        told = (form["client_id"], form["client_secret"])
        if (
            known is None
            or told != (CLIENT_ID, CLIENT_SECRET)
            or (known["challenge"], known["redirect"]) != (challenge, form["redirect_uri"])
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        id_token = provider.id_token(known["nonce"])
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": id_token})

    return app


@asynccontextmanager
async def openid_provider() -> AsyncGenerator[Provider]:
    """One on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    provider = Provider(f"http://127.0.0.1:{listener.getsockname()[1]}")
    server = uvicorn.Server(uvicorn.Config(application(provider), log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield provider
    finally:
        server.should_exit = True
        await task
