"""Routes of an organization's models (spec api.md section 11)."""

from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from starlette.requests import Request
from starlette.responses import Response

from api.audit.trail import Trail, audited
from api.auth.principals import CurrentCaller
from api.chat_models.schemas import Catalog, ChatModel, CreateModel, EditModel, OfferingProvider
from api.errors import ApiError, invalid, not_found
from api.organizations.lookup import CurrentOrganization, require_permission
from api.schemas import errors
from api.services import Services, services_of
from models.model_options import CallConfig
from models.permissions import Permission
from models.providers import ProviderType
from models.store import catalog, providers
from models.store.accounts import Caller
from models.store.catalog import ModelExists, NewModel, ProviderNotUsable
from models.store.configuration import ModelRecord, ProviderRecord, read_user_keys
from models.store.organizations import OrganizationRecord
from runtime.configuration import ChangeKind
from runtime.configuration.availability import Unavailable, why_unavailable
from runtime.configuration.keys import UserKeys

router = APIRouter(prefix="/organizations/{organization}/chats/models", tags=["models"])

_GATEWAYS = ("openrouter.ai", "ai-gateway.vercel.sh")
"""Whose models have a vendor and a slash in front, and which speak Chat Completions only."""


async def find_model(
    request: Request,
    organization: CurrentOrganization,
    model: Annotated[UUID, Path(description="Id of a model.")],
    caller: CurrentCaller,
) -> ModelRecord:
    """The model in the path, if the organization has it and the caller may use it."""
    found = await catalog.find_model(
        services_of(request).engine, organization.id, model, reader=caller.user_id
    )
    if found is None:
        raise not_found("model")
    return found


CurrentModel = Annotated[ModelRecord, Depends(find_model)]


@router.get("", operation_id="listModels", response_model_exclude_none=True, responses=errors(400, 403, 404))
async def list_models(request: Request, organization: CurrentOrganization, caller: CurrentCaller) -> Catalog:
    """What can be chosen from: models, oldest first, and their providers with what they lack."""
    services = services_of(request)
    known = await catalog.list_models(services.engine, organization.id, reader=caller.user_id)
    offering = await providers.list_providers(services.engine, [organization.id])
    user_keys = await read_user_keys(services.engine, caller.user_id)
    order = list(ProviderType)
    return Catalog(
        models=[ChatModel.of(record) for record in known],
        providers=[
            _offering(services, provider, user_keys)
            for provider in sorted(offering, key=lambda provider: order.index(provider.type))
        ],
        unsupported_providers=[],
    )


@router.get("/{model}", operation_id="getModel", response_model_exclude_none=True, responses=errors(400, 404))
async def get_model(model: CurrentModel) -> ChatModel:
    """One model."""
    return ChatModel.of(model)


@router.post(
    "",
    operation_id="createModel",
    status_code=201,
    response_model_exclude_none=True,
    responses=errors(400, 403, 404, 409, 412),
)
async def create_model(
    request: Request,
    body: CreateModel,
    organization: CurrentOrganization,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("create", "chat_model")],
) -> ChatModel:
    """Offer a model to everybody in the organization. The first one is the default."""
    services = services_of(request)
    trail.about("", body.model, organization_id=organization.id)
    require_permission(caller, Permission.MANAGE, organization.id)
    await _check_interface(services, organization, body.ai_provider_id, body.model)
    new = NewModel(
        provider_id=body.ai_provider_id,
        model=body.model,
        display_name=body.display_name or body.model,
        context_limit=body.context_limit,
        enabled=body.enabled,
        is_default=body.is_default,
        compression_threshold=body.compression_threshold,
        config=body.config or CallConfig(),
    )
    change = trail.change(body.model_dump(mode="json", by_alias=True, exclude_unset=True))
    try:
        made = await catalog.create_model(services.engine, organization.id, new, caller.user_id, change)
    except ProviderNotUsable:
        raise _no_provider() from None
    except ModelExists:
        raise _taken() from None
    await services.configuration.changed(ChangeKind.MODEL, made.id)
    return ChatModel.of(made)


@router.patch(
    "/{model}",
    operation_id="editModel",
    response_model_exclude_none=True,
    responses=errors(400, 403, 404, 409, 412),
)
async def edit_model(
    request: Request,
    body: EditModel,
    organization: CurrentOrganization,
    model: CurrentModel,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("write", "chat_model")],
) -> ChatModel:
    """Change a model. Running turns end on what they began with."""
    services = services_of(request)
    _require_manager(trail, caller, model)
    columns = body.columns()
    provider_id = columns.get("ai_provider_id", model.provider_id)
    await _check_interface(services, organization, provider_id, columns.get("model", model.model))
    change = trail.change(body.model_dump(mode="json", by_alias=True, exclude_unset=True))
    try:
        changed = await catalog.change_model(
            services.engine, organization.id, model.id, columns, caller.user_id, change
        )
    except ProviderNotUsable:
        raise _no_provider() from None
    except ModelExists:
        raise _taken() from None
    if changed is None:
        raise not_found("model")
    await services.configuration.changed(ChangeKind.MODEL)  # another one may be the default now
    return ChatModel.of(changed)


@router.delete(
    "/{model}",
    operation_id="deleteModel",
    status_code=204,
    responses={204: {"description": "No longer on offer."}, **errors(400, 403, 404)},
)
async def delete_model(
    request: Request,
    organization: CurrentOrganization,
    model: CurrentModel,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("delete", "chat_model")],
) -> Response:
    """Take a model off offer. Chats on it go on with the default."""
    services = services_of(request)
    _require_manager(trail, caller, model)
    await catalog.delete_model(services.engine, organization.id, model.id, caller.user_id, trail.change())
    await services.configuration.changed(ChangeKind.MODEL)
    return Response(status_code=204)


async def _check_interface(
    services: Services, organization: OrganizationRecord, provider_id: UUID, model: str
) -> None:
    """A gateway that speaks Chat Completions is no provider of type openai, which is asked by Responses."""
    if "/" not in model:
        return
    provider = await providers.find_provider(services.engine, [organization.id], provider_id)
    if provider is None or provider.type is not ProviderType.OPENAI:
        return
    host = urlsplit(services.keys.base_url_of(provider) or "").hostname or ""
    if host.endswith(_GATEWAYS):
        raise invalid(
            ("model", "Is a model of a gateway: its provider is to be of type openrouter or vercel.")
        )


def _offering(services: Services, provider: ProviderRecord, user_keys: UserKeys) -> OfferingProvider:
    reason = why_unavailable(services.keys, provider, user_keys)
    return OfferingProvider(
        id=provider.id,
        type=provider.type,
        display_name=provider.display_name,
        icon=provider.icon,
        enabled=provider.enabled,
        has_api_key=services.keys.has_central_key(provider),
        has_user_api_key=provider.id in user_keys,
        has_effective_api_key=reason not in (Unavailable.MISSING_KEY, Unavailable.USER_KEY_REQUIRED),
        allow_user_api_key=provider.policy.allow_user_api_key,
        available=reason is None,
        unavailable_reason=reason,
    )


def _require_manager(trail: Trail, caller: Caller, model: ModelRecord) -> None:
    trail.about(model.id, model.model, organization_id=model.organization_id)
    require_permission(caller, Permission.MANAGE, model.organization_id)


def _no_provider() -> ApiError:
    return ApiError(412, "There is no such provider, or it is disabled.", "Choose one that is enabled.")


def _taken() -> ApiError:
    return ApiError(409, "The organization has this model of this provider already.", "Change that one.")
