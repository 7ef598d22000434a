"""Routes of what users set for themselves (spec api.md section 10)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from api.auth.principals import CurrentCaller
from api.errors import invalid, not_found
from api.prompts import checked_prompt
from api.schemas import errors
from api.services import services_of
from models.store import thresholds
from models.store.deployment import write_user_prompt
from models.store.thresholds import Threshold
from runtime.configuration import ChangeKind

router = APIRouter(prefix="/chats/config", tags=["preferences"])

ModelConfigId = Annotated[UUID, Path(description="Id of a model.")]


class NewThreshold(BaseModel):
    """How full the context may get, in percent, before the conversation is summarized; 100: never."""

    threshold_percent: int = Field(ge=0, le=100)


class CompactionThreshold(NewThreshold):
    model_config_id: UUID


class CompactionThresholds(BaseModel):
    thresholds: list[CompactionThreshold]


class UserPrompt(BaseModel):
    """What the caller wants every model to know."""

    custom_prompt: str = ""


@router.get("/user-prompt", operation_id="getUserPrompt", responses=errors())
async def get_user_prompt(request: Request, caller: CurrentCaller) -> UserPrompt:
    """What the caller wants every model to know; empty: nothing."""
    preferences = await services_of(request).configuration.preferences(caller.user_id)
    return UserPrompt(custom_prompt=preferences.custom_prompt or "")


@router.put("/user-prompt", operation_id="putUserPrompt", responses=errors(400, 413))
async def put_user_prompt(request: Request, body: UserPrompt, caller: CurrentCaller) -> UserPrompt:
    """Set what the caller wants every model to know; it holds from the next step on."""
    services = services_of(request)
    text = checked_prompt("custom_prompt", body.custom_prompt)
    await write_user_prompt(services.engine, caller.user_id, text)
    await services.configuration.changed(ChangeKind.USER, caller.user_id)
    return UserPrompt(custom_prompt=text)


@router.get("/user-compaction-thresholds", operation_id="listCompactionThresholds", responses=errors())
async def list_thresholds(request: Request, caller: CurrentCaller) -> CompactionThresholds:
    """The caller's own thresholds. A model that is not listed has the one of its configuration."""
    found = await thresholds.list_thresholds(services_of(request).engine, caller)
    return CompactionThresholds(
        thresholds=[
            CompactionThreshold(model_config_id=t.model_config_id, threshold_percent=t.threshold_percent)
            for t in found
        ]
    )


@router.put(
    "/user-compaction-thresholds/{model_config}",
    operation_id="setCompactionThreshold",
    responses=errors(400, 404),
)
async def set_threshold(
    request: Request, model_config: ModelConfigId, body: NewThreshold, caller: CurrentCaller
) -> CompactionThreshold:
    """Set the caller's threshold for a model; it holds from the next step on."""
    engine = services_of(request).engine
    enabled = await thresholds.is_enabled(engine, caller, model_config)
    if enabled is None:
        raise not_found("model")
    if not enabled:
        raise invalid(("model_config", "Is disabled. Choose a model that can be used."))
    threshold = Threshold(model_config, body.threshold_percent)
    await thresholds.set_threshold(engine, caller, threshold)
    await services_of(request).configuration.changed(ChangeKind.USER, caller.user_id)
    return CompactionThreshold(model_config_id=model_config, threshold_percent=body.threshold_percent)


@router.delete(
    "/user-compaction-thresholds/{model_config}",
    operation_id="deleteCompactionThreshold",
    status_code=204,
    responses={204: {"description": "The model's own threshold holds again."}, **errors(400)},
)
async def delete_threshold(request: Request, model_config: ModelConfigId, caller: CurrentCaller) -> Response:
    """Remove the caller's threshold for a model, if there is one."""
    services = services_of(request)
    await thresholds.forget_threshold(services.engine, caller, model_config)
    await services.configuration.changed(ChangeKind.USER, caller.user_id)
    return Response(status_code=204)
