"""Routes of models for single purposes, of organizations and of members (spec api.md section 12)."""

from typing import Annotated, Any, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from api.audit.trail import Trail, audited
from api.auth.principals import CurrentCaller
from api.errors import ApiError, invalid, not_found
from api.organizations.lookup import CurrentOrganization
from api.schemas import errors
from api.services import Services, services_of
from api.users.lookup import CurrentUser
from models.deployment import PersonalModelOverrides
from models.permissions import Permission
from models.store import overrides
from models.store.accounts import Caller
from models.store.configuration import Override, read_model, read_overrides
from models.store.organizations import OrganizationRecord
from models.store.overrides import MemberOverride
from models.store.users import UserRecord
from runtime.configuration import ChangeKind

router = APIRouter(prefix="/organizations/{organization}", tags=["model overrides"])

_CONTEXTS = ("general", "explore", "title_generation", "compaction", "advisor")
_PERSONAL = ("root", "general", "explore")
_INHERITED = ("general", "explore")
_Context = Annotated[str, Path(max_length=64, description="A purpose.")]
Mode = Literal["chat_default", "deployment_default", "model"]


class PutOverride(BaseModel):
    """The model for a purpose. An empty id lets the default serve it again."""

    chosen: str = Field(default="", alias="model_config_id", max_length=64)
    reasoning_effort: str = Field(default="", max_length=16)


class PurposeModel(BaseModel):
    """The model for one purpose. An empty id: none was chosen."""

    context: str
    chosen: str = Field(alias="model_config_id")
    reasoning_effort: str | None = None


class PurposeModels(BaseModel):
    overrides: list[PurposeModel]


class PutPersonalOverride(PutOverride):
    mode: Mode


class PersonalModel(PurposeModel):
    """What a member chose for one kind of chat; `is_set` false: nothing, and the mode is the usual one."""

    mode: Mode
    is_set: bool


class PersonalModels(BaseModel):
    """What a member chose, and what holds where they chose nothing. `enabled`: members may choose."""

    enabled: bool
    root: PersonalModel
    general: PersonalModel
    explore: PersonalModel
    deployment_defaults: dict[str, PurposeModel]


@router.get(
    "/chats/model-overrides",
    operation_id="listModelOverrides",
    response_model_exclude_none=True,
    responses=errors(400, 404),
)
async def list_overrides(
    request: Request, organization: CurrentOrganization, caller: CurrentCaller
) -> PurposeModels:
    """The models the organization uses for single purposes."""
    _require_manager(caller, organization)
    found = await read_overrides(services_of(request).engine, organization.id)
    return PurposeModels(
        overrides=[_purpose(context, found[context]) for context in _CONTEXTS if context in found]
    )


@router.put(
    "/chats/model-overrides/{context}",
    operation_id="putModelOverride",
    response_model_exclude_none=True,
    responses=errors(400, 404),
)
async def put_override(
    request: Request,
    organization: CurrentOrganization,
    context: _Context,
    body: PutOverride,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("write", "model_override")],
) -> PurposeModel:
    """Choose the model for a purpose."""
    services = services_of(request)
    _require_manager(caller, organization)
    trail.about(organization.id, context, organization_id=organization.id)
    if context not in _CONTEXTS:
        raise invalid(("context", f"Must be one of {', '.join(_CONTEXTS)}."))
    override = await _checked(services, organization, body)
    change = trail.change(body.model_dump(mode="json", by_alias=True))
    await overrides.set_override(services.engine, organization.id, context, override, change)
    await services.configuration.changed(ChangeKind.OVERRIDES, organization.id)
    return _purpose(context, override)


@router.get(
    "/members/{user}/chats/model-overrides",
    operation_id="listPersonalModelOverrides",
    response_model_exclude_none=True,
    responses=errors(400, 404),
)
async def list_personal(
    request: Request, organization: CurrentOrganization, user: CurrentUser, caller: CurrentCaller
) -> PersonalModels:
    """What a member chose for chats of their own."""
    services = services_of(request)
    _require_self_or_manager(caller, organization, user)
    chosen = await overrides.read_member_overrides(services.engine, organization.id, user.id)
    of_all = await read_overrides(services.engine, organization.id)
    personal = {context: _personal(context, chosen.get(context)) for context in _PERSONAL}
    return PersonalModels(
        enabled=(await services.configuration.setting(PersonalModelOverrides)).allow_users,
        root=personal["root"],
        general=personal["general"],
        explore=personal["explore"],
        deployment_defaults={context: _purpose(context, of_all.get(context)) for context in _INHERITED},
    )


@router.put(
    "/members/{user}/chats/model-overrides/{context}",
    operation_id="putPersonalModelOverride",
    status_code=204,
    responses={204: {"description": "Chosen."}, **errors(400, 403, 404)},
)
async def put_personal(
    request: Request,
    organization: CurrentOrganization,
    user: CurrentUser,
    context: _Context,
    body: PutPersonalOverride,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("write", "personal_model_override")],
) -> Response:
    """Choose the model for a member's chats of one kind."""
    services = services_of(request)
    _require_self_or_manager(caller, organization, user)
    trail.about(user.id, context, organization_id=organization.id)
    allowed = (await services.configuration.setting(PersonalModelOverrides)).allow_users
    if not allowed and not caller.may(Permission.MANAGE, organization.id):
        raise ApiError(403, "Members do not choose models here.", "An administrator can allow it.")
    wanted = await _checked_personal(services, organization, user, context, body)
    change = trail.change(body.model_dump(mode="json", by_alias=True))
    await overrides.set_member_override(services.engine, organization.id, user.id, context, wanted, change)
    return Response(status_code=204)


async def _checked_personal(
    services: Services,
    organization: OrganizationRecord,
    user: UserRecord,
    context: str,
    body: PutPersonalOverride,
) -> MemberOverride:
    if context not in _PERSONAL:
        raise invalid(("context", f"Must be one of {', '.join(_PERSONAL)}."))
    if body.mode == "deployment_default" and context == "root":
        raise invalid(("mode", "Is not for root."))
    if body.mode != "model":
        for field, said in (("model_config_id", body.chosen), ("reasoning_effort", body.reasoning_effort)):
            if said:
                raise invalid((field, "Goes with mode model only."))
        return MemberOverride(body.mode, None)
    override = await _checked(services, organization, body)
    if override is None:
        raise invalid(("model_config_id", "Is needed with mode model."))
    usable = await services.availability.usable_model(organization.id, user.id, override.model_config_id)
    if usable is None:
        raise invalid(("model_config_id", "Is no model that the member can use."))
    return MemberOverride("model", override)


async def _checked(
    services: Services, organization: OrganizationRecord, body: PutOverride
) -> Override | None:
    """What a body chooses; None for nothing.

    Raises:
        ApiError: 400, it is no model of the organization that can be used, or does not take the effort.
    """
    if not body.chosen:
        if body.reasoning_effort:
            raise invalid(("reasoning_effort", "Goes with a model only."))
        return None
    try:
        model_id = UUID(body.chosen)
    except ValueError:
        raise invalid(("model_config_id", "Must be the id of a model, or empty.")) from None
    model = await read_model(services.engine, model_id)
    if model is None or model.organization_id != organization.id or model.deleted or not model.enabled:
        raise invalid(("model_config_id", "Is no model of this organization that can be used."))
    efforts = model.config.selectable_efforts() if model.config else ()
    if body.reasoning_effort and body.reasoning_effort not in efforts:
        raise invalid(("reasoning_effort", f"The model takes: {', '.join(efforts) or 'none'}."))
    return Override(model_id, body.reasoning_effort or None)


def _require_manager(caller: Caller, organization: OrganizationRecord) -> None:
    if not caller.may(Permission.MANAGE, organization.id):
        raise not_found("organization")


def _require_self_or_manager(caller: Caller, organization: OrganizationRecord, user: UserRecord) -> None:
    """Members see their own; others are told that there is nothing."""
    here = organization.id in user.organization_ids
    if not here or (caller.user_id != user.id and not caller.may(Permission.MANAGE, organization.id)):
        raise not_found("member")


def _purpose(context: str, override: Override | None) -> PurposeModel:
    return PurposeModel(**_named(context, override))


def _personal(context: str, chosen: MemberOverride | None) -> PersonalModel:
    usual = "chat_default" if context == "root" else "deployment_default"
    override = chosen.override if chosen else None
    mode = cast(Mode, chosen.mode if chosen else usual)
    return PersonalModel(**_named(context, override), mode=mode, is_set=chosen is not None)


def _named(context: str, override: Override | None) -> dict[str, Any]:
    return {
        "context": context,
        "model_config_id": str(override.model_config_id) if override else "",
        "reasoning_effort": override.effort if override else None,
    }
