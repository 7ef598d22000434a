"""Routes of providers (spec chat-loop.md 3.1, 3.8). The paths are ours; the spec has none."""

from typing import Annotated
from uuid import UUID, uuid4

import structlog
from fastapi import APIRouter, Depends, Path
from pydantic import SecretStr
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import Response

from api.ai_providers.schemas import CheckProvider, CheckReport, CreateProvider, EditProvider, Provider
from api.audit.trail import Trail, audited
from api.auth.principals import CurrentCaller
from api.errors import ApiError, invalid, not_found, unavailable
from api.schemas import errors
from api.services import Services, services_of
from api.temporal_gateway import Unavailable
from models.permissions import Permission, SiteRole
from models.provider_check import ProviderCheck, detail_key
from models.providers import KeyPolicy, ProviderType
from models.store import catalog, providers
from models.store.accounts import Caller
from models.store.configuration import ProviderRecord, StoredSecret, provider_secret
from models.store.providers import NewProvider, ProviderExists, Reach
from runtime.configuration import ChangeKind
from runtime.secrets import NoMasterKey

router = APIRouter(prefix="/ai-providers", tags=["providers"])

log = structlog.get_logger("providers")


def reach_of(caller: Caller) -> Reach:
    """Whose providers the caller administers.

    Raises:
        ApiError: 403, nobody's.
    """
    if caller.site_role is SiteRole.OWNER:
        return None
    managed = caller.organizations_with(Permission.MANAGE)
    if not managed:
        raise ApiError(403, "You may not see the settings of providers.", "Administrators may.")
    return managed


async def find_provider(
    request: Request, provider: Annotated[UUID, Path(description="Id of a provider.")], caller: CurrentCaller
) -> ProviderRecord:
    """The provider in the path, if the caller may see its settings."""
    found = await providers.find_provider(services_of(request).engine, reach_of(caller), provider)
    if found is None:
        raise not_found("provider")
    return found


CurrentProvider = Annotated[ProviderRecord, Depends(find_provider)]


@router.get("", operation_id="listProviders", responses=errors(403))
async def list_providers(request: Request, caller: CurrentCaller) -> list[Provider]:
    """The providers of the deployment and of the caller's organizations, oldest first."""
    services = services_of(request)
    found = await providers.list_providers(services.engine, reach_of(caller))
    return [Provider.of(record, services.keys) for record in found]


@router.get("/{provider}", operation_id="getProvider", responses=errors(400, 403, 404))
async def get_provider(request: Request, provider: CurrentProvider) -> Provider:
    """One of them."""
    return Provider.of(provider, services_of(request).keys)


@router.post("", operation_id="createProvider", status_code=201, responses=errors(400, 403, 409, 503))
async def create_provider(
    request: Request,
    body: CreateProvider,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("create", "ai_provider")],
) -> Provider:
    """Add a provider. Its models are added apart."""
    services = services_of(request)
    trail.about("", body.name, organization_id=body.organization_id)
    _require_administrator(caller, body.organization_id)
    _check_address(body.type, body.base_url)
    provider_id = uuid4()
    new = NewProvider(
        body.organization_id,
        body.type,
        body.name,
        body.display_name or body.type.display_name,
        body.icon,
        body.base_url,
        body.enabled,
        body.settings,
        KeyPolicy(**{name: getattr(body, name) for name in KeyPolicy.model_fields}),
    )
    key = sealed(services, body.api_key, provider_secret(provider_id)) if body.api_key else None
    try:
        made = await providers.create_provider(
            services.engine, new, provider_id, key, trail.change(body.model_dump(mode="json"))
        )
    except ProviderExists:
        raise _taken() from None
    await services.configuration.changed(ChangeKind.PROVIDERS)
    return Provider.of(made, services.keys)


@router.patch("/{provider}", operation_id="editProvider", responses=errors(400, 403, 404, 409, 503))
async def edit_provider(
    request: Request,
    body: EditProvider,
    provider: CurrentProvider,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("write", "ai_provider")],
) -> Provider:
    """Change a provider. Calls in flight end as they began; the next ones see the change."""
    services = services_of(request)
    _require_manager(trail, caller, provider)
    changes = body.columns()
    _check_address(provider.type, changes.get("base_url", provider.base_url))
    key = sealed(services, body.api_key, provider_secret(provider.id)) if body.api_key else None
    try:
        changed = await providers.change_provider(
            services.engine,
            reach_of(caller),
            provider.id,
            changes,
            key=key,
            remove_key=body.removes_key,
            change=trail.change(body.model_dump(mode="json", exclude_unset=True)),
        )
    except ProviderExists:
        raise _taken() from None
    if changed is None:
        raise not_found("provider")
    await services.configuration.changed(ChangeKind.PROVIDERS)
    return Provider.of(changed, services.keys)


@router.delete(
    "/{provider}",
    operation_id="deleteProvider",
    status_code=204,
    responses={204: {"description": "Gone, with its keys and its models."}, **errors(400, 403, 404)},
)
async def delete_provider(
    request: Request,
    provider: CurrentProvider,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("delete", "ai_provider")],
) -> Response:
    """Delete a provider. Chats on its models go on with the default of their organization."""
    services = services_of(request)
    _require_manager(trail, caller, provider)
    await providers.delete_provider(services.engine, reach_of(caller), provider.id, trail.change())
    await services.configuration.changed(ChangeKind.MODEL)  # all of its models are gone with it
    return Response(status_code=204)


@router.post("/{provider}/check", operation_id="checkProvider", responses=errors(400, 403, 404, 503))
async def check_provider(
    request: Request, body: CheckProvider, provider: CurrentProvider, caller: CurrentCaller
) -> CheckReport:
    """Make a small call to the provider, on a worker, and tell what it taught. It costs a few tokens."""
    services = services_of(request)
    configured = await catalog.find_model_of(services.engine, reach_of(caller), provider.id, body.model)
    model = body.model or (configured.model if configured else None)
    if model is None:
        raise invalid(("model", "Is needed: the provider has no model yet."))
    check = ProviderCheck(
        id=uuid4(),
        provider_id=provider.id,
        user_id=caller.user_id,
        model=model,
        model_config_id=configured.id if configured else None,
    )
    try:
        checked = await services.gateway.check_provider(check)
    except Unavailable as error:
        log.warning("a check has no answer", error=str(error))
        raise unavailable("No worker has made the call in time.", "Repeat the request.") from error
    user_keys = await services.configuration.user_keys(caller.user_id)
    choice = services.keys.choice(provider, user_keys)
    return CheckReport.of(check, checked, choice, await _detail(services, check.id))


async def _detail(services: Services, check_id: UUID) -> str | None:
    """What the provider itself said of a failure."""
    try:
        told = await services.redis.get(detail_key(check_id))
    except (RedisError, OSError):
        return None
    return told.decode() if isinstance(told, bytes) else told


def sealed(services: Services, key: SecretStr, belongs_to: str) -> StoredSecret:
    """A key as it is to be stored.

    Raises:
        ApiError: 503, this deployment has no master key.
    """
    try:
        return services.keys.seal(key, belongs_to)
    except NoMasterKey:
        raise ApiError(
            503,
            "This deployment cannot keep keys.",
            "Its operator has to set PERDURE_MASTER_KEYS, see `perdure keys new`.",
        ) from None


def _require_administrator(caller: Caller, organization_id: UUID | None) -> None:
    if caller.site_role is SiteRole.OWNER:
        return
    if organization_id is None or not caller.may(Permission.MANAGE, organization_id):
        raise ApiError(
            403,
            "You may not administer this provider.",
            "Site owners may, and administrators those of their organization.",
        )


def _require_manager(trail: Trail, caller: Caller, provider: ProviderRecord) -> None:
    trail.about(provider.id, provider.name, organization_id=provider.organization_id)
    _require_administrator(caller, provider.organization_id)


def _check_address(provider_type: ProviderType, base_url: str | None) -> None:
    if provider_type.needs_base_url and not base_url:
        raise invalid(("base_url", f"A provider of type {provider_type} needs one."))


def _taken() -> ApiError:
    return ApiError(409, "There is a provider of this name.", "Choose another name.")
