"""Routes that pass the vendors' own APIs through. What is not listed here is not offered."""

from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from api.auth.principals import admit, require_scope, secret_in_headers
from api.gateway.bodies import Held, read_body, understand
from api.gateway.choosing import Upstream, choose_upstream, not_offered, terms_of
from api.gateway.errors import VendorRoute
from api.gateway.findings import findings_of
from api.gateway.forwarding import Errand, Passage
from api.gateway.headers import to_vendor
from api.gateway.recording import OpenCall
from api.gateway.schemas import PASSED, asks
from api.gateway.tap import Tap
from api.gateway.wires import CHAT_COMPLETIONS, COUNT_TOKENS, MESSAGES, MODELS, RESPONSES, Endpoint
from api.services import services_of
from models.permissions import Scope
from models.store.accounts import Caller
from models.store.gateway_calls import NewCall

router = APIRouter(prefix="/aibridge", tags=["gateway"], route_class=VendorRoute)

ORGANIZATION = "X-Perdure-Organization"
"""Header with the id of the organization on whose behalf somebody asks who is in several."""

_MODEL_NAME = r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,199}(/[A-Za-z0-9][A-Za-z0-9._:@-]{0,199})?$"

Provider = Annotated[str, Path(description="Name or type of a provider.", examples=["anthropic"])]


@router.post(
    "/{provider}/v1/messages",
    operation_id="createAnthropicMessage",
    responses=PASSED,
    openapi_extra=asks(
        {"model": "claude-sonnet-5-5", "max_tokens": 1024, "messages": [{"role": "user", "content": "Hello"}]}
    ),
)
async def create_message(request: Request, provider: Provider) -> Response:
    """Anthropic's Messages, as they are: stream or not. The call is recorded."""
    return await _ask(request, provider, MESSAGES)


@router.post(
    "/{provider}/v1/messages/count_tokens",
    operation_id="submitAnthropicTokenCount",
    responses=PASSED,
    openapi_extra=asks({"model": "claude-sonnet-5-5", "messages": [{"role": "user", "content": "Hello"}]}),
)
async def count_tokens(request: Request, provider: Provider) -> Response:
    """How many tokens a message would have, by Anthropic's own count. Not recorded: it costs nothing."""
    return await _ask(request, provider, COUNT_TOKENS)


@router.post(
    "/{provider}/v1/responses",
    operation_id="createOpenAIResponse",
    responses=PASSED,
    openapi_extra=asks({"model": "gpt-5.1", "input": "Hello"}),
)
async def create_response(request: Request, provider: Provider) -> Response:
    """OpenAI's Responses, as they are: stream or not, but none in the background. The call is recorded."""
    return await _ask(request, provider, RESPONSES)


@router.post(
    "/{provider}/v1/chat/completions",
    operation_id="createOpenAIChatCompletion",
    responses=PASSED,
    openapi_extra=asks({"model": "gpt-5.1", "messages": [{"role": "user", "content": "Hello"}]}),
)
async def create_chat_completion(request: Request, provider: Provider) -> Response:
    """OpenAI's Chat Completions, as they are, of every server that speaks them. The call is recorded; a
    stream without `stream_options.include_usage` without its tokens."""
    return await _ask(request, provider, CHAT_COMPLETIONS)


@router.get("/{provider}/v1/models", operation_id="listVendorModels", responses=PASSED)
async def list_vendor_models(request: Request, provider: Provider) -> Response:
    """The models of the vendor, in its own words."""
    return await _look(request, provider)


@router.get("/{provider}/v1/models/{name:path}", operation_id="getVendorModel", responses=PASSED)
async def get_vendor_model(
    request: Request,
    provider: Provider,
    name: Annotated[str, Path(description="Name of a model.", pattern=_MODEL_NAME, examples=["gpt-5.1"])],
) -> Response:
    """A model of the vendor, in its own words."""
    return await _look(request, provider, f"/{name}")


@router.api_route(
    "/{provider}/{path:path}",
    methods=["DELETE", "GET", "PATCH", "POST", "PUT"],
    include_in_schema=False,
)
async def refuse(request: Request) -> Response:
    """Whatever else the vendors have."""
    await _admit(request)
    raise not_offered("These pass: messages, responses, chat/completions, and models.")


async def _admit(request: Request) -> Caller:
    """The caller. The vendors' clients send the token where they send their key."""
    secret = secret_in_headers(request) or request.headers.get("x-api-key", "").strip()
    caller = await admit(request, secret or None)
    require_scope(caller, Scope.GATEWAY)
    return caller


async def _look(request: Request, provider: str, below: str = "") -> Response:
    """Ask for something that is there anyway."""
    services, caller = services_of(request), await _admit(request)
    upstream = await choose_upstream(services, caller, provider, MODELS, request.headers.get(ORGANIZATION))
    errand = _errand(request, upstream, MODELS.path + below, [], services.bodies.empty())
    return Passage(services.vendors, errand, call=None, guard=services.guard, token_id=caller.token_id)


async def _ask(request: Request, provider: str, endpoint: Endpoint) -> Response:
    """Ask for an answer."""
    services, caller = services_of(request), await _admit(request)
    upstream = await choose_upstream(services, caller, provider, endpoint, request.headers.get(ORGANIZATION))
    with services.bodies.unless_it_fails() as held:
        body = await read_body(request, held)
        call = await _begin(request, caller, upstream, endpoint, body)
        errand = _errand(request, upstream, endpoint.path, body, held)
    return Passage(services.vendors, errand, call=call, guard=services.guard, token_id=caller.token_id)


async def _begin(
    request: Request, caller: Caller, upstream: Upstream, endpoint: Endpoint, body: list[bytes]
) -> OpenCall | None:
    """Note the call; None if its kind is not recorded."""
    services = services_of(request)
    question = understand(endpoint, body)
    terms = await terms_of(services, caller, upstream, question.model)
    if not endpoint.recorded:
        return None
    new = NewCall(
        id=uuid4(),
        organization_id=upstream.organization_id,
        user_id=caller.user_id,
        token_id=caller.token_id,
        provider_id=upstream.provider.id,
        provider_name=upstream.provider.name,
        model=question.model,
        endpoint=endpoint.name,
        streamed=question.streamed,
    )
    return await services.calls.begin(
        new, question, terms, Tap(findings_of(endpoint)), provider=upstream.provider.label
    )


def _errand(request: Request, upstream: Upstream, path: str, body: list[bytes], held: Held) -> Errand:
    own: dict[str, Any] = dict(upstream.headers)
    if request.method == "POST":
        own["content-length"] = str(sum(map(len, body)))
    return Errand(
        method=request.method,
        url=upstream.url(path, request.url.query),
        headers=to_vendor(request.headers, own),
        body=body,
        held=held,
        wire=upstream.wire,
        provider=upstream.provider.display_name,
        secret=upstream.secret,
    )
