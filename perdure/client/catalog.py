"""Models on offer, and the providers that they come from."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import Field, JsonValue

from perdure.client.connection import Connection
from perdure.client.home import Home
from perdure.client.reading import given, path_of, read, read_all
from perdure.client.shapes import Shape
from perdure.client.sharing import Acl, read_acl, share


class Model(Shape):
    """A model of an organization. `config` is what it is called with (`model_config` of the API)."""

    id: str
    organization_id: str
    ai_provider_id: str
    model: str
    display_name: str = ""
    enabled: bool = True
    is_default: bool = False
    context_limit: int = 0
    compression_threshold: int = 0
    config: dict[str, JsonValue] | None = Field(default=None, alias="model_config")
    reasoning_efforts: list[str] = []
    created_at: datetime | None = None
    updated_at: datetime | None = None


class OfferingProvider(Shape):
    """A provider, as those who choose a model see it. `unavailable_reason` says why it cannot be used."""

    id: str
    type: str
    display_name: str = ""
    enabled: bool = True
    has_user_api_key: bool = False
    allow_user_api_key: bool = False
    available: bool = True
    unavailable_reason: str | None = None


class Catalog(Shape):
    """All that can be chosen from."""

    models: list[Model]
    providers: list[OfferingProvider] = []

    def provider_of(self, model: Model) -> OfferingProvider | None:
        """Where a model comes from."""
        return next((one for one in self.providers if one.id == model.ai_provider_id), None)


class Provider(Shape):
    """A provider, as its administrators see it. `api_key_source` is `stored`, `environment`, or None."""

    id: str
    type: str
    name: str
    display_name: str = ""
    organization_id: str | None = None
    base_url: str | None = None
    enabled: bool = True
    settings: dict[str, JsonValue] = {}
    central_api_key_enabled: bool = True
    allow_user_api_key: bool = False
    allow_central_api_key_fallback: bool = False
    has_api_key: bool = False
    api_key_source: str | None = None


class CheckFailure(Shape):
    """Why a small call to a provider has failed."""

    kind: str
    message: str
    detail: str | None = None


class CheckReport(Shape):
    """What a small call to a provider taught. `accepts_tools` None: not found out."""

    ok: bool
    model: str
    answered_by: str | None = None
    seconds: float = 0.0
    first_part_seconds: float | None = None
    usage: dict[str, int] = {}
    accepts_tools: bool | None = None
    key: str = ""
    error: CheckFailure | None = None


class ProviderKey(Shape):
    """Which keys there are of a provider, none of them shown."""

    provider: Provider
    has_user_api_key: bool
    has_provider_api_key: bool
    byok_enabled: bool


class Models:
    """The models of an organization; by default the first one that the user is in."""

    def __init__(self, connection: Connection, home: Home) -> None:
        self._connection = connection
        self._home = home

    async def list(self, organization_id: str | None = None) -> Catalog:
        """Models, and the providers that they come from."""
        path = await self._path(organization_id)
        return read(Catalog, await self._connection.request("GET", path))

    async def get(self, model_id: str, *, organization_id: str | None = None) -> Model:
        """One model."""
        path = await self._path(organization_id, model_id)
        return read(Model, await self._connection.request("GET", path))

    async def create(
        self,
        provider_id: str,
        model: str,
        context_limit: int,
        *,
        organization_id: str | None = None,
        config: Mapping[str, Any] | None = None,
        **more: object,
    ) -> Model:
        """Offer a model.

        Args:
            provider_id: Where it comes from.
            model: What the provider calls it.
            context_limit: Tokens that it takes.
            organization_id: Where.
            config: What it is called with.
            more: `display_name`, `enabled`, `is_default`, `compression_threshold`.

        Raises:
            Conflict: The organization has it already.
        """
        body = given(
            ai_provider_id=provider_id, model=model, context_limit=context_limit, model_config=config, **more
        )
        path = await self._path(organization_id)
        return read(Model, await self._connection.request("POST", path, json=body))

    async def edit(self, model_id: str, *, organization_id: str | None = None, **changes: object) -> Model:
        """Change fields: those of `create`, and `model_config`."""
        path = await self._path(organization_id, model_id)
        return read(Model, await self._connection.request("PATCH", path, json=changes))

    async def delete(self, model_id: str, *, organization_id: str | None = None) -> None:
        """Take a model off offer. Chats on it go on with the default."""
        await self._connection.request("DELETE", await self._path(organization_id, model_id))

    async def acl(self, model_id: str, *, organization_id: str | None = None) -> Acl:
        """Who may use a model, beside those who manage the organization."""
        return await read_acl(self._connection, await self._path(organization_id, model_id))

    async def share(
        self,
        model_id: str,
        *,
        users: Iterable[str] = (),
        groups: Iterable[str] = (),
        readable: bool = True,
        organization_id: str | None = None,
    ) -> None:
        """Let users and groups use a model, or with `readable=False` no more."""
        path = await self._path(organization_id, model_id)
        await share(self._connection, path, users, groups, readable=readable)

    async def _path(self, organization_id: str | None, *model_id: str) -> str:
        where = await self._home.id(organization_id)
        return path_of("organizations", where, "chats", "models", *model_id)


class Providers:
    """Providers, for administrators, and the keys that users bring for them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def list(self) -> list[Provider]:
        """Providers of the deployment and of organizations that the caller manages, oldest first."""
        return read_all(Provider, await self._connection.request("GET", "/ai-providers"))

    async def get(self, provider_id: str) -> Provider:
        """One provider."""
        return read(Provider, await self._connection.request("GET", path_of("ai-providers", provider_id)))

    async def create(self, kind: str, name: str, *, api_key: str | None = None, **more: object) -> Provider:
        """Add a provider. Its models are added apart.

        Args:
            kind: Its type, such as `anthropic`.
            name: By which it is found again.
            api_key: Is stored sealed, and never shown.
            more: `base_url`, `organization_id`, `settings`, `enabled`, and who may bring keys.
        """
        body = given(type=kind, name=name, api_key=api_key, **more)
        return read(Provider, await self._connection.request("POST", "/ai-providers", json=body))

    async def edit(self, provider_id: str, **changes: object) -> Provider:
        """Change fields: those of `create`. `api_key=None` takes the stored key away."""
        path = path_of("ai-providers", provider_id)
        return read(Provider, await self._connection.request("PATCH", path, json=changes))

    async def delete(self, provider_id: str) -> None:
        """Delete a provider, its keys and its models. Chats on them go on with the default model."""
        await self._connection.request("DELETE", path_of("ai-providers", provider_id))

    async def check(self, provider_id: str, *, model: str | None = None) -> CheckReport:
        """Make a small call to a provider. It costs a few tokens."""
        path = path_of("ai-providers", provider_id, "check")
        return read(CheckReport, await self._connection.request("POST", path, json={"model": model}))

    async def keys(self, user: str = "me") -> Sequence[ProviderKey]:
        """For which providers a user has brought a key, or may."""
        return read_all(ProviderKey, await self._connection.request("GET", _keys(user)))

    async def put_key(self, provider_id: str, api_key: str, *, user: str = "me") -> None:
        """Store a user's own key for a provider."""
        path = _keys(user) + path_of(provider_id)
        await self._connection.request("PUT", path, json={"api_key": api_key})

    async def delete_key(self, provider_id: str, *, user: str = "me") -> None:
        """Forget a user's own key for a provider."""
        await self._connection.request("DELETE", _keys(user) + path_of(provider_id))


def _keys(user: str) -> str:
    return path_of("users", user, "ai-provider-keys")
