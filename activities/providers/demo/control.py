"""The control routes, for whoever is in another process: order faults, see requests, stand by holds."""

import asyncio
from collections.abc import Awaitable, Callable

from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from activities.providers.demo.faults import many_faults
from activities.providers.demo.stage import Stage

Handler = Callable[[Request], Awaitable[Response]]


class HoldWait(BaseModel):
    """Query of `GET /control/holds/{name}`."""

    times: int = Field(default=1, ge=1)
    timeout: float = Field(default=30.0, ge=0, le=600, description="seconds")


def control_routes(stage: Stage) -> list[Route]:
    """The routes under `/control`, bound to the state of one demo model."""

    async def order_faults(request: Request) -> Response:
        stage.ordered_faults.extend(many_faults.validate_json(await request.body()))
        return JSONResponse({"ordered": len(stage.ordered_faults)})

    async def forget_faults(_: Request) -> Response:
        stage.ordered_faults.clear()
        return Response(status_code=204)

    async def list_requests(_: Request) -> Response:
        return JSONResponse([request.as_json() for request in stage.recorder.requests])

    async def forget_requests(_: Request) -> Response:
        stage.recorder.clear()
        return Response(status_code=204)

    async def await_hold(request: Request) -> Response:
        query = HoldWait.model_validate(dict(request.query_params))
        arrivals = stage.holds[request.path_params["name"]].arrivals
        status = 200
        try:
            await asyncio.wait_for(arrivals.reached(query.times), query.timeout)
        except TimeoutError:
            status = 408
        return JSONResponse({"reached": arrivals.count}, status_code=status)

    async def release_hold(request: Request) -> Response:
        stage.holds[request.path_params["name"]].release()
        return Response(status_code=204)

    return [
        _route("/faults", "POST", order_faults),
        _route("/faults", "DELETE", forget_faults),
        _route("/requests", "GET", list_requests),
        _route("/requests", "DELETE", forget_requests),
        _route("/holds/{name}", "GET", await_hold),
        _route("/holds/{name}/release", "POST", release_hold),
    ]


def _route(path: str, method: str, handler: Handler) -> Route:
    async def checked(request: Request) -> Response:
        try:
            return await handler(request)
        except ValidationError as error:
            detail = error.errors(include_url=False, include_input=False, include_context=False)
            return JSONResponse({"detail": detail}, status_code=422)

    return Route(f"/control{path}", checked, methods=[method])
