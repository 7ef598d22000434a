"""The OpenID provider: where it is, what it signs with, and what it says about who has signed in.

The rules of the ID token are Authlib's (issuer, audience, times, nonce, authorized party), its signature is
checked by joserfc against the provider's published keys, and only algorithms with such keys are taken.
"""

import time
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode

import httpx2
import structlog
from authlib.oauth2 import rfc7636
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from api.errors import ApiError, unavailable
from api.sign_in.attempt import Attempt
from models.store.identities import Identity
from runtime.settings import Settings

_METADATA_SECONDS = 3600.0
_LEEWAY_SECONDS = 60
_MAX_ANSWER_BYTES = 1 << 20
_ALGORITHMS = (
    *("RS256", "RS384", "RS512"),
    *("PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)

log = structlog.get_logger("sign-in")


@dataclass(frozen=True, slots=True)
class _Metadata:
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    algorithms: list[str]
    read_at: float


class OpenIdProvider:
    """One provider, found by its issuer. What it publishes is kept for an hour."""

    def __init__(self, settings: Settings) -> None:
        assert settings.oidc_issuer_url is not None
        self._issuer = settings.oidc_issuer_url
        self._client_id = settings.oidc_client_id
        self._client_secret = settings.oidc_client_secret
        self._scopes = settings.oidc_scopes
        self._http = httpx2.AsyncClient(timeout=10.0)
        self._metadata: _Metadata | None = None
        self._keys: KeySet | None = None

    async def close(self) -> None:
        """Close connections."""
        await self._http.aclose()

    async def authorization_url(self, attempt: Attempt, callback: str) -> str:
        """Where to send the browser.

        Raises:
            ApiError: 503, the provider is away.
        """
        metadata = await self._found()
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": callback,
            "scope": self._scopes,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": cast(Any, rfc7636).create_s256_code_challenge(attempt.verifier),
            "code_challenge_method": "S256",
        }
        separator = "&" if "?" in metadata.authorization_endpoint else "?"
        return f"{metadata.authorization_endpoint}{separator}{urlencode(query)}"

    async def redeem(self, code: str, attempt: Attempt, callback: str) -> Identity:
        """Who has come back with a code.

        Raises:
            ApiError: 400, the provider does not know the code, or what it says cannot be believed. 503, the
                provider is away.
        """
        metadata = await self._found()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": callback,
            "client_id": self._client_id,
            "code_verifier": attempt.verifier,
        }
        if self._client_secret is not None:
            form["client_secret"] = self._client_secret.get_secret_value()
        answer = await self._json("POST", metadata.token_endpoint, data=form)
        id_token = answer.get("id_token")
        if not isinstance(id_token, str):
            raise _unbelievable("no ID token")
        try:
            claims = await self._claims(metadata, id_token, attempt.nonce)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise _unbelievable(type(error).__name__) from None
        return _identity(self._issuer, claims)

    async def _claims(self, metadata: _Metadata, id_token: str, nonce: str) -> dict[str, Any]:
        registry = JWSRegistry(algorithms=metadata.algorithms, strict_check_header=False)
        try:
            token = jwt.decode(id_token, await self._key_set(metadata), registry=registry)
        except InvalidKeyIdError:
            self._keys = None  # it may have changed its keys
            token = jwt.decode(id_token, await self._key_set(metadata), registry=registry)
        options = {"iss": {"essential": True, "value": self._issuer}}
        params = {"nonce": nonce, "client_id": self._client_id}
        claims: Any = cast(Any, CodeIDToken)(token.claims, token.header, options, params)
        claims.validate(leeway=_LEEWAY_SECONDS)
        audience = claims["aud"]
        if self._client_id not in ([audience] if isinstance(audience, str) else audience):
            raise ValueError("aud")
        return dict(claims)

    async def _key_set(self, metadata: _Metadata) -> KeySet:
        if self._keys is None:
            self._keys = KeySet.import_key_set(cast(Any, await self._json("GET", metadata.jwks_uri)))
        return self._keys

    async def _found(self) -> _Metadata:
        known = self._metadata
        if known is not None and time.monotonic() < known.read_at + _METADATA_SECONDS:
            return known
        where = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        told = await self._json("GET", where)
        if told.get("issuer") != self._issuer:
            log.error("the OpenID provider calls itself another issuer", issuer=told.get("issuer"))
            raise _away()
        offered = told.get("id_token_signing_alg_values_supported") or ["RS256"]
        self._keys = None
        self._metadata = _Metadata(
            told["authorization_endpoint"],
            told["token_endpoint"],
            told["jwks_uri"],
            [name for name in offered if name in _ALGORITHMS],
            time.monotonic(),
        )
        return self._metadata

    async def _json(self, method: str, url: str, **parts: Any) -> dict[str, Any]:
        try:
            response = await self._http.request(method, url, **parts)
            told = response.json() if len(response.content) <= _MAX_ANSWER_BYTES else None
        except (httpx2.HTTPError, ValueError) as error:
            log.warning("the OpenID provider cannot be asked", error=type(error).__name__)
            raise _away() from None
        if response.status_code >= 500 or not isinstance(told, dict):
            log.warning("the OpenID provider fails", status=response.status_code)
            raise _away()
        answer = cast(dict[str, Any], told)
        if response.status_code >= 400:
            raise _unbelievable(str(answer.get("error", response.status_code))[:100])
        return answer


def _identity(issuer: str, claims: dict[str, Any]) -> Identity:
    email = claims.get("email")
    verified = claims.get("email_verified") is True and isinstance(email, str) and "\0" not in email
    subject = str(claims["sub"])
    username = str(claims.get("preferred_username") or email or claims.get("name") or "user")
    name = str(claims.get("name") or "").replace("\0", "")
    return Identity(
        issuer, subject.replace("\0", ""), username, name, cast(str, email)[:254] if verified else None
    )


def _unbelievable(reason: str) -> ApiError:
    log.warning("a sign-in cannot be believed", reason=reason)
    return ApiError(400, "This sign-in cannot be believed.", "Begin again.")


def _away() -> ApiError:
    return unavailable("The OpenID provider cannot be asked.", "Try again in a moment.")
