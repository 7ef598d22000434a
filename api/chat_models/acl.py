"""Routes that say who may use a model (spec api.md section 11).

At first everybody in its organization may: the organization stands among the groups, under its
own id, for all of its members."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from api.audit.trail import Trail, audited
from api.auth.principals import CurrentCaller
from api.chat_models.router import CurrentModel
from api.errors import not_found
from api.organizations.lookup import CurrentOrganization, require_permission
from api.organizations.schemas import Group, group_fields
from api.schemas import errors
from api.services import services_of
from api.sharing import Acl, AclGroup, AclUser, EditAcl, refused
from models.permissions import Permission
from models.store import groups, organizations, sharing
from models.store.accounts import Caller
from models.store.groups import GroupRecord
from models.store.model_access import edit_model_readers
from models.store.organizations import OrganizationRecord
from models.store.sharing import UnknownPrincipals, shared_model
from runtime.configuration import ChangeKind

router = APIRouter(prefix="/organizations/{organization}/chats/models/{model}/acl", tags=["models"])


class Sharers(BaseModel):
    """Users and groups that a model can be shared with."""

    users: list[AclUser]
    groups: list[Group]


@router.get("", operation_id="getModelAcl", responses=errors(400, 404))
async def get_acl(
    request: Request, organization: CurrentOrganization, model: CurrentModel, caller: CurrentCaller
) -> Acl:
    """Who may use a model, beside those who manage the organization."""
    _conceal_from_members(caller, organization)
    engine = services_of(request).engine
    acl = Acl.of(await sharing.read_readers(engine, shared_model(model.id, organization.id)))
    if model.everyone:
        everyone = await _everyone(request, organization)
        acl.groups.insert(0, AclGroup.model_validate(group_fields(everyone)))
    return acl


@router.patch(
    "",
    operation_id="editModelAcl",
    status_code=204,
    responses={204: {"description": "Changed."}, **errors(400, 403, 404)},
)
async def edit_acl(
    request: Request,
    body: EditAcl,
    organization: CurrentOrganization,
    model: CurrentModel,
    caller: CurrentCaller,
    trail: Annotated[Trail, audited("write", "chat_model_acl")],
) -> Response:
    """Let users and groups of the organization use a model, or let them no more. Running turns end on it."""
    services = services_of(request)
    trail.about(model.id, model.model, organization_id=organization.id)
    require_permission(caller, Permission.MANAGE, organization.id)
    edit = body.checked()
    change = trail.change(body.model_dump(exclude_defaults=True))
    try:
        await edit_model_readers(services.engine, model.id, organization.id, edit, change)
    except UnknownPrincipals as error:
        raise refused(error) from None
    await services.configuration.changed(ChangeKind.MODEL, model.id)
    return Response(status_code=204)


@router.get("/available", operation_id="listModelAclCandidates", responses=errors(400, 404))
async def list_candidates(
    request: Request,
    organization: CurrentOrganization,
    model: CurrentModel,
    caller: CurrentCaller,
    q: Annotated[str, Query(max_length=200, description="Part of a username, name or address.")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> Sharers:
    """Whom a model can be shared with: a page of the members, and as many groups. Everybody comes first."""
    _conceal_from_members(caller, organization)
    engine, text = services_of(request).engine, q.replace("\0", "").strip() or None
    members, _ = await organizations.list_members(
        engine, organization.id, text=text, limit=limit, offset=offset
    )
    bands = await groups.list_groups(engine, organization.id, limit=limit, offset=offset)
    if offset == 0:
        bands.insert(0, await _everyone(request, organization))
    return Sharers(
        users=[AclUser(id=one.user_id, username=one.username, name=one.name) for one in members],
        groups=[Group.of(band) for band in bands],
    )


async def _everyone(request: Request, organization: OrganizationRecord) -> GroupRecord:
    """All members of an organization, as if they were a group."""
    count = await organizations.count_members(services_of(request).engine, organization.id)
    return GroupRecord(
        organization.id, organization.id, "everyone", "Everyone", organization.created_at, count
    )


def _conceal_from_members(caller: Caller, organization: OrganizationRecord) -> None:
    """Who may use what is the business of those who manage it."""
    if not caller.may(Permission.MANAGE, organization.id):
        raise not_found("model")
