"""From the name in the path to the provider that is asked: which one, where it is, whose key is used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote
from uuid import UUID

import structlog
from pydantic import SecretStr

from api.errors import ApiError, not_found
from api.gateway.costs import UNKNOWN_CONTEXT, Terms
from api.gateway.errors import GatewayError, wrong
from api.gateway.wires import Endpoint, Wire, wire_of
from api.services import Services
from models.addresses import ANTHROPIC_URL, OPENAI_PLACES
from models.model_options import CallConfig
from models.permissions import Permission
from models.providers import ProviderType
from models.store.accounts import Caller
from models.store.configuration import ModelRecord, ProviderRecord
from runtime.configuration.availability import Unavailable, why_unavailable
from runtime.configuration.keys import UserKeys
from runtime.known_models import prices_in_effect
from runtime.secrets import SecretsError

log = structlog.get_logger("gateway")

_WHY = {
    Unavailable.DISABLED: "It is disabled. Ask an administrator.",
    Unavailable.MISSING_KEY: "It has no key. An administrator has to enter one.",
    Unavailable.USER_KEY_REQUIRED: "It wants a key of your own: PUT /users/me/ai-provider-keys/{provider}.",
}


@dataclass(frozen=True, slots=True)
class Upstream:
    """Who is asked, as the configuration has it now. A change concerns the next request.

    Attributes:
        organization_id: on whose behalf.
        base_url: what the path of an endpoint is appended to.
        headers: key and organization, names in lower case.
        secret: the key, to be kept out of what is told.
        api_version: sent along in the query, as older deployments of Azure want it.
    """

    provider: ProviderRecord
    organization_id: UUID
    wire: Wire
    base_url: str
    headers: Mapping[str, str] = field(repr=False)
    secret: SecretStr | None = None
    api_version: str | None = None

    def url(self, path: str, query: str) -> str:
        """Where something is.

        Args:
            path: below `/v1`.
            query: as the caller sent it.
        """
        own = f"api-version={quote(self.api_version)}" if self.api_version else ""
        whole = "&".join(part for part in (query, own) if part)
        return f"{self.base_url}{path}?{whole}" if whole else f"{self.base_url}{path}"


async def choose_upstream(
    services: Services, caller: Caller, name: str, endpoint: Endpoint, organization: str | None
) -> Upstream:
    """The provider of a name, or else the first usable one of the type of that name.

    Args:
        organization: id of the one on whose behalf the caller asks, where they are in several.

    Raises:
        ApiError: 400, the organization is no id. 403, the caller may call no models, or the provider cannot
            be used; 404, there is no such provider or organization, or it does not have the endpoint.
    """
    organizations = _organizations(caller, organization)
    known = (await services.configuration.providers()).values()
    user_keys = await services.configuration.user_keys(caller.user_id)
    provider = _find(
        [one for one in known if one.organization_id in (None, *organizations)], name, services, user_keys
    )
    wire = wire_of(provider.type)
    if wire is None:
        raise not_offered(f"Requests to a provider of type {provider.type} have to be signed.")
    if endpoint.wire not in (None, wire):
        raise not_offered(f"{provider.display_name} does not speak the protocol of this route.")
    why = why_unavailable(services.keys, provider, user_keys)
    if why is not None:
        raise GatewayError(403, f"{provider.display_name} cannot be used.", _WHY[why], code=why)
    base_url = services.keys.base_url_of(provider)
    secret = _open_key(services, provider, user_keys)
    place = OPENAI_PLACES.get(provider.type)
    there = place.address(base_url) if place is not None else base_url or ANTHROPIC_URL
    if there is None:
        raise GatewayError(403, f"{provider.display_name} has no address.", code=Unavailable.DISABLED)
    return Upstream(
        provider,
        provider.organization_id or organizations[0],
        wire,
        there.rstrip("/") + ("/v1" if wire is Wire.ANTHROPIC else ""),
        _credentials(provider, secret),
        secret,
        provider.settings.api_version,
    )


def not_offered(why: str) -> ApiError:
    """Something that does not pass through the gateway."""
    return ApiError(404, "The gateway does not offer this.", why)


async def terms_of(services: Services, caller: Caller, upstream: Upstream, model: str) -> Terms:
    """On what terms a model may be called: with prices as configured, or else as publicly known.

    Raises:
        ApiError: 404, the organization has this model, and not for the caller; or it has it not, and only
            models that it has may be called.
    """
    record = await services.configuration.named_model(upstream.organization_id, upstream.provider.id, model)
    if not await _may_call(services, caller, upstream, record):
        raise ApiError(404, f"There is no model {model} here, or it is not for you.")
    config = record.config if record is not None and record.config is not None else CallConfig()
    return Terms(
        prices_in_effect(upstream.provider.type, model, config),
        record.context_limit if record is not None else UNKNOWN_CONTEXT,
        None if record is None else record.id,
    )


async def _may_call(
    services: Services, caller: Caller, upstream: Upstream, record: ModelRecord | None
) -> bool:
    if record is None:
        return services.settings.gateway_unlisted_models
    usable = await services.availability.usable_model(upstream.organization_id, caller.user_id, record.id)
    return usable is not None


def _organizations(caller: Caller, wanted: str | None) -> Sequence[UUID]:
    own = caller.organizations_with(Permission.CREATE_CHATS)
    if wanted is not None:
        try:
            organization = UUID(wanted)
        except ValueError:
            raise wrong("X-Perdure-Organization", "The id of an organization is expected.") from None
        if organization not in own:
            raise not_found("organization")
        return [organization]
    if not own:
        raise ApiError(403, "You may not call models.", "Members of an organization may; auditors may not.")
    return own


def _find(
    providers: Sequence[ProviderRecord], name: str, services: Services, user_keys: UserKeys
) -> ProviderRecord:
    named = [one for one in providers if one.name == name]
    if named:
        # an organization's own goes before that of everybody
        return min(named, key=lambda one: one.organization_id is None)
    typed = [one for one in providers if one.type == name]
    if not typed:
        raise not_found("provider")
    usable = [one for one in typed if why_unavailable(services.keys, one, user_keys) is None]
    return (usable or typed)[0]


def _open_key(services: Services, provider: ProviderRecord, user_keys: UserKeys) -> SecretStr | None:
    try:
        return services.keys.key_for(provider, user_keys)
    except SecretsError as error:
        log.error("a key cannot be opened", provider=provider.name, why=str(error))
        raise GatewayError(
            403,
            f"The key of {provider.display_name} cannot be opened.",
            "It was sealed with a master key that this server does not have, or is damaged. Enter it anew.",
            code=Unavailable.MISSING_KEY,
        ) from None


def _credentials(provider: ProviderRecord, secret: SecretStr | None) -> dict[str, str]:
    headers: dict[str, str] = {}
    if provider.type is ProviderType.OPENAI and provider.settings.organization:
        headers["openai-organization"] = provider.settings.organization
    if secret is None:
        return headers
    key = secret.get_secret_value()
    if provider.type is ProviderType.ANTHROPIC:
        return {**headers, "x-api-key": key}
    own_header = OPENAI_PLACES[provider.type].key_header
    return {**headers, "authorization": f"Bearer {key}", **({own_header: key} if own_header else {})}
