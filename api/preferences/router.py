"""Routes of what users set for themselves (spec api.md section 10)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from api.auth.principals import CurrentCaller
from api.errors import invalid, not_found
from api.schemas import errors
from api.services import services_of
from models.store import thresholds
from models.store.thresholds import Threshold

router = APIRouter(prefix="/chats/config", tags=["preferences"])

ModelConfigId = Annotated[UUID, Path(description="Id of a model.")]


class NewThreshold(BaseModel):
    """How full the context may get, in percent, before the conversation is summarized; 100: never."""

    threshold_percent: int = Field(ge=0, le=100)


class CompactionThreshold(NewThreshold):
    model_config_id: UUID


class CompactionThresholds(BaseModel):
    thresholds: list[CompactionThreshold]


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
    return CompactionThreshold(model_config_id=model_config, threshold_percent=body.threshold_percent)


@router.delete(
    "/user-compaction-thresholds/{model_config}",
    operation_id="deleteCompactionThreshold",
    status_code=204,
    responses={204: {"description": "The model's own threshold holds again."}, **errors(400)},
)
async def delete_threshold(request: Request, model_config: ModelConfigId, caller: CurrentCaller) -> Response:
    """Remove the caller's threshold for a model, if there is one."""
    await thresholds.forget_threshold(services_of(request).engine, caller, model_config)
    return Response(status_code=204)
