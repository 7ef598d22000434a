"""Routes of the deployment's settings (spec api.md section 10).

Those that only administrators see are concealed from the others: GET answers 404, PUT 403.
"""

from collections.abc import Set
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from api.audit.trail import Trail, audited
from api.auth.principals import CurrentCaller
from api.errors import ApiError, not_found
from api.prompts import DEFAULT_SYSTEM_PROMPT, checked_prompt
from api.schemas import errors
from api.services import services_of
from models.deployment import (
    AutoArchiveDays,
    Days,
    PersonalModelOverrides,
    RetentionDays,
    Setting,
    SystemPrompt,
    name_of,
)
from models.permissions import SiteRole
from models.store import deployment
from models.store.accounts import Caller
from runtime.configuration import ChangeKind

router = APIRouter(prefix="/chats/config", tags=["deployment"])

_DONE = {204: {"description": "It holds for all requests from now on."}}
_Audited = Annotated[Trail, audited("write", "deployment_setting")]


class PutSystemPrompt(BaseModel):
    """What every chat begins with. Without the flag, what it was before stays."""

    system_prompt: str = ""
    include_default_system_prompt: bool | None = None


class ShownSystemPrompt(BaseModel):
    system_prompt: str
    include_default_system_prompt: bool
    default_system_prompt: str = Field(description="What is included by default.")


class PutRetentionDays(BaseModel):
    """0: archived chats are kept for ever."""

    retention_days: Days


class PutAutoArchiveDays(BaseModel):
    """0: chats are archived by people only."""

    auto_archive_days: Days


@router.get("/system-prompt", operation_id="getSystemPrompt", responses=errors(404))
async def get_system_prompt(request: Request, caller: CurrentCaller) -> ShownSystemPrompt:
    """What every new chat is told first."""
    _conceal(caller)
    setting = await services_of(request).configuration.setting(SystemPrompt)
    return ShownSystemPrompt(
        system_prompt=setting.system_prompt,
        include_default_system_prompt=setting.includes_default,
        default_system_prompt=DEFAULT_SYSTEM_PROMPT,
    )


@router.put(
    "/system-prompt",
    operation_id="putSystemPrompt",
    status_code=204,
    responses={**_DONE, **errors(400, 403, 413, 503)},
)
async def put_system_prompt(
    request: Request, body: PutSystemPrompt, caller: CurrentCaller, trail: _Audited
) -> Response:
    """Set what every new chat is told first."""
    include = body.include_default_system_prompt
    value = SystemPrompt(
        system_prompt=checked_prompt("system_prompt", body.system_prompt),
        include_default_system_prompt=include,
    )
    kept = {"include_default_system_prompt"} if include is None else frozenset[str]()
    return await _put(request, caller, trail, value, kept)


@router.get("/personal-model-overrides", operation_id="getPersonalModelOverrides", responses=errors())
async def get_personal_model_overrides(request: Request, caller: CurrentCaller) -> PersonalModelOverrides:
    """Whether members may choose models for their own chats."""
    return await services_of(request).configuration.setting(PersonalModelOverrides)


@router.put(
    "/personal-model-overrides",
    operation_id="putPersonalModelOverrides",
    status_code=204,
    responses={**_DONE, **errors(400, 403, 503)},
)
async def put_personal_model_overrides(
    request: Request, body: PersonalModelOverrides, caller: CurrentCaller, trail: _Audited
) -> Response:
    """Let members choose models for their own chats, or stop it."""
    return await _put(request, caller, trail, body)


@router.get("/retention-days", operation_id="getRetentionDays", responses=errors())
async def get_retention_days(request: Request, caller: CurrentCaller) -> RetentionDays:
    """How long archived chats are kept."""
    return await services_of(request).configuration.setting(RetentionDays)


@router.put(
    "/retention-days",
    operation_id="putRetentionDays",
    status_code=204,
    responses={**_DONE, **errors(400, 403, 503)},
)
async def put_retention_days(
    request: Request, body: PutRetentionDays, caller: CurrentCaller, trail: _Audited
) -> Response:
    """Set after how many days an archived chat is deleted for good, with its files and those below it."""
    return await _put(request, caller, trail, RetentionDays(retention_days=body.retention_days))


@router.get("/auto-archive-days", operation_id="getAutoArchiveDays", responses=errors())
async def get_auto_archive_days(request: Request, caller: CurrentCaller) -> AutoArchiveDays:
    """When idle chats are archived."""
    return await services_of(request).configuration.setting(AutoArchiveDays)


@router.put(
    "/auto-archive-days",
    operation_id="putAutoArchiveDays",
    status_code=204,
    responses={**_DONE, **errors(400, 403, 503)},
)
async def put_auto_archive_days(
    request: Request, body: PutAutoArchiveDays, caller: CurrentCaller, trail: _Audited
) -> Response:
    """Set after how many days a chat at which nothing happens is archived. Pinned chats stay."""
    return await _put(request, caller, trail, AutoArchiveDays(auto_archive_days=body.auto_archive_days))


async def _put(
    request: Request, caller: Caller, trail: Trail, value: Setting, kept: Set[str] = frozenset()
) -> Response:
    """Store a setting, all of it but the fields that are `kept` as they are.

    Raises:
        ApiError: 403, the caller does not own the site; 503, another writer holds it.
    """
    services = services_of(request)
    name = name_of(type(value))
    trail.about(name, name)
    if caller.site_role is not SiteRole.OWNER:
        raise ApiError(403, "You may not change settings of the deployment.", "Site owners may.")
    change = trail.change(value.model_dump(mode="json", exclude=set(kept)))
    if await deployment.write_setting(services.engine, name, value, change, kept=kept):
        await services.configuration.changed(ChangeKind.SETTINGS)
    return Response(status_code=204)


def _conceal(caller: Caller) -> None:
    if caller.site_role is not SiteRole.OWNER:
        raise not_found("setting")
