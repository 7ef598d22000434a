"""Reading the audit log."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, JsonValue
from starlette.requests import Request

from api.auth.principals import CurrentCaller
from api.errors import ApiError
from api.requests import Moment
from api.schemas import errors
from api.services import services_of
from models.permissions import Permission, SiteRole
from models.store.audit import AuditFilter, read_audit

router = APIRouter(tags=["audit"])

_MAX_ID = 2**63 - 1
_Text = Annotated[str | None, Query(min_length=1, max_length=200)]


class AuditLine(BaseModel):
    """A change, or an attempt at one."""

    id: int
    time: datetime
    organization_id: UUID | None = Field(description="None: it is about the site.")
    user_id: UUID | None
    username: str = Field(examples=["admin"])
    action: str = Field(examples=["write"])
    target_type: str = Field(examples=["user"])
    target_id: str
    target_name: str
    outcome: Literal["done", "rejected"]
    status_code: int
    request_id: str
    changes: dict[str, JsonValue] = Field(examples=[{"status": "suspended"}])


class AuditPage(BaseModel):
    """Newest first. `has_more`: there are older ones; ask with `before_id`."""

    audit_logs: list[AuditLine]
    has_more: bool


@router.get("/audit", operation_id="listAudit", responses=errors(400, 403))
async def list_audit(
    request: Request,
    caller: CurrentCaller,
    organization_id: UUID | None = None,
    user_id: Annotated[UUID | None, Query(description="Who did it.")] = None,
    action: _Text = None,
    target_type: _Text = None,
    target_id: _Text = None,
    outcome: Annotated[Literal["done", "rejected"] | None, Query()] = None,
    since: Annotated[Moment | None, Query(description="Not before this moment.")] = None,
    until: Annotated[Moment | None, Query(description="Before this moment.")] = None,
    before_id: Annotated[int | None, Query(gt=0, le=_MAX_ID)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AuditPage:
    """Who changed what, as far as the caller may know: owners, administrators and auditors read that of
    their organizations, site owners read all."""
    if caller.site_role is not SiteRole.OWNER and not caller.organizations_with(Permission.READ_AUDIT):
        raise ApiError(403, "You may not read the audit log.", "Auditors and administrators may.")
    wanted = AuditFilter(
        organization_id=organization_id,
        user_id=user_id,
        action=action,
        target_type=target_type,
        target_id=target_id,
        outcome=outcome,
        since=since,
        until=until,
    )
    found = await read_audit(
        services_of(request).engine, caller, wanted, before_id=before_id, limit=limit + 1
    )
    return AuditPage(
        audit_logs=[
            AuditLine.model_validate(
                {
                    **{name: getattr(entry, name) for name in entry.__dataclass_fields__},
                    "time": entry.at,
                    "status_code": entry.status,
                }
            )
            for entry in found[:limit]
        ],
        has_more=len(found) > limit,
    )
