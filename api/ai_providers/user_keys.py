"""Routes of users' own keys (spec api.md section 13)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from api.ai_providers.router import sealed
from api.ai_providers.schemas import ApiKey
from api.audit.trail import Trail, audited
from api.auth.principals import CurrentCaller
from api.errors import ApiError, not_found
from api.schemas import errors
from api.services import Services, services_of
from api.users.lookup import CurrentUser, require_self_or_manager
from models.providers import ProviderType
from models.store import providers
from models.store.configuration import ProviderRecord, read_user_keys, user_secret
from models.store.users import UserRecord
from runtime.configuration import ChangeKind

router = APIRouter(prefix="/users/{user}/ai-provider-keys", tags=["provider keys"])

_ProviderId = Annotated[UUID, Path(alias="aiProvider", description="Id of a provider.")]


class NamedProvider(BaseModel):
    """A provider, as its users see it."""

    id: UUID
    type: ProviderType
    name: str
    display_name: str
    icon: str
    enabled: bool
    deleted: bool


class ProviderKey(BaseModel):
    """Which keys there are of a provider. `byok_enabled`: users may bring their own."""

    provider: NamedProvider
    has_user_api_key: bool
    has_provider_api_key: bool
    byok_enabled: bool


class PutKey(BaseModel):
    api_key: ApiKey


@router.get("", operation_id="listProviderKeys", responses=errors(403, 404))
async def list_keys(request: Request, user: CurrentUser, caller: CurrentCaller) -> list[ProviderKey]:
    """The providers the user can use, and whether there are keys; disabled ones only where one is stored."""
    services = services_of(request)
    await require_self_or_manager(request, caller, user)
    stored = await read_user_keys(services.engine, user.id)
    found = await providers.list_providers(services.engine, user.organization_ids)
    return [_shown(services, p, p.id in stored) for p in found if p.enabled or p.id in stored]


@router.put("/{aiProvider}", operation_id="putProviderKey", responses=errors(400, 403, 404, 412, 503))
async def put_key(
    request: Request,
    user: CurrentUser,
    provider_id: _ProviderId,
    body: PutKey,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("write", "ai_provider_key")],
) -> ProviderKey:
    """Store the user's own key, in place of the one before."""
    services = services_of(request)
    trail.about(provider_id, user.username)
    await require_self_or_manager(request, caller, user)
    provider = await _provider(services, user, provider_id)
    if not provider.policy.allow_user_api_key:
        raise ApiError(403, "This provider does not take keys of users.", "Its administrator decides that.")
    if not provider.enabled:
        raise ApiError(412, "This provider is disabled.", "Wait until an administrator has enabled it.")
    key = sealed(services, body.api_key, user_secret(user.id, provider_id))
    await providers.set_user_key(services.engine, user.id, provider_id, key, trail.change())
    await services.configuration.changed(ChangeKind.USER, user.id)
    return _shown(services, provider, has_own=True)


@router.delete(
    "/{aiProvider}",
    operation_id="deleteProviderKey",
    status_code=204,
    responses={204: {"description": "There is no key any more."}, **errors(400, 403, 404)},
)
async def delete_key(
    request: Request,
    user: CurrentUser,
    provider_id: _ProviderId,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("delete", "ai_provider_key")],
) -> Response:
    """Remove the user's own key."""
    services = services_of(request)
    trail.about(provider_id, user.username)
    await require_self_or_manager(request, caller, user)
    await _provider(services, user, provider_id)
    await providers.delete_user_key(services.engine, user.id, provider_id, trail.change())
    await services.configuration.changed(ChangeKind.USER, user.id)
    return Response(status_code=204)


async def _provider(services: Services, user: UserRecord, provider_id: UUID) -> ProviderRecord:
    found = await providers.find_provider(services.engine, user.organization_ids, provider_id)
    if found is None:
        raise not_found("provider")
    return found


def _shown(services: Services, provider: ProviderRecord, has_own: bool) -> ProviderKey:
    named = {name: getattr(provider, name) for name in ("id", "type", "name", "display_name", "icon")}
    return ProviderKey(
        provider=NamedProvider(**named, enabled=provider.enabled, deleted=False),
        has_user_api_key=has_own,
        has_provider_api_key=services.keys.has_central_key(provider),
        byok_enabled=provider.policy.allow_user_api_key,
    )
