"""Routes of answers to waiting calls (spec api.md 5.11; approvals are ours)."""

from collections.abc import Collection, Sequence
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from api.actions.schemas import DecideApprovals, SubmitToolResults
from api.auth.principals import CurrentCaller
from api.chats.access import OwnedChat, refuse_archived
from api.errors import ApiError, invalid
from api.messages.sending import deliver, store
from api.requests import IdempotencyKey, checked_key, request_hash
from api.schemas import errors
from api.services import Services, services_of
from models.chat_state import Awaited, ChatStatus
from models.store.accounts import Caller
from models.store.chats import ChatRecord
from models.store.drafts import NewDraft
from models.turns import AnswerCalls, Placement

router = APIRouter(tags=["actions"])

_ANSWERED = {204: {"description": "Taken; the turn goes on."}, **errors(400, 403, 404, 409, 413, 422, 503)}


@router.post(
    "/chats/{chat}/tool-results", operation_id="submitToolResults", status_code=204, responses=_ANSWERED
)
async def submit_tool_results(
    request: Request,
    body: SubmitToolResults,
    chat: OwnedChat,
    caller: CurrentCaller,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Give the results of the tools that the client runs. All calls that wait for it, and no others."""
    content = [result.model_dump(mode="json") for result in body.results]
    pending = {call.id for call in chat.state.open_calls if call.awaits is Awaited.RESULT}
    problem = _problem("results", content, pending)
    missing = sorted(pending - {answer["tool_call_id"] for answer in content})
    if problem is None and missing:
        problem = invalid(("results", f"The result of the call {missing[0]!r} is missing."))
    await _answer(
        services_of(request), caller, chat, body, content, Placement.RESULTS, problem, idempotency_key
    )
    return Response(status_code=204)


@router.post("/chats/{chat}/approvals", operation_id="decideApprovals", status_code=204, responses=_ANSWERED)
async def decide_approvals(
    request: Request,
    body: DecideApprovals,
    chat: OwnedChat,
    caller: CurrentCaller,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Let calls run that wait for approval, or deny them; the model is told the reason. Calls that are not
    decided yet go on waiting, and so does the chat: what is approved runs once all are decided."""
    content = [approval.model_dump(mode="json") for approval in body.approvals]
    pending = {call.id for call in chat.state.open_calls if call.awaits is Awaited.APPROVAL}
    problem = _problem("approvals", content, pending)
    await _answer(
        services_of(request), caller, chat, body, content, Placement.APPROVALS, problem, idempotency_key
    )
    return Response(status_code=204)


def _problem(field: str, content: Sequence[dict[str, Any]], pending: Collection[str]) -> ApiError | None:
    """What is wrong with answers to these calls, if anything is."""
    if not content:
        raise invalid((field, "Must hold at least one entry."))
    seen: set[str] = set()
    for index, answer in enumerate(content):
        call_id = answer["tool_call_id"]
        place = f"{field}[{index}].tool_call_id"
        if call_id in seen:
            return invalid((place, f"The call {call_id!r} is answered twice."))
        if call_id not in pending:
            return invalid((place, f"No call {call_id!r} waits for this."))
        seen.add(call_id)
    return None


async def _answer(
    services: Services,
    caller: Caller,
    chat: ChatRecord,
    body: BaseModel,
    content: list[dict[str, Any]],
    place: Placement,
    problem: ApiError | None,
    idempotency_key: str | None,
) -> None:
    refuse_archived(chat)
    new = NewDraft(
        content=content, request_hash=request_hash(body), idempotency_key=checked_key(idempotency_key)
    )
    draft = await store(services, chat, caller, new, _not_awaited(chat) or problem)
    state = chat.state
    command = AnswerCalls(draft_id=draft.id, place=place, turn=state.turn, step=state.step)
    await deliver(services, chat, draft, "answer_calls", command)


def _not_awaited(chat: ChatRecord) -> ApiError | None:
    """What is wrong with any answer to this chat, if anything is."""
    if chat.state.status is ChatStatus.REQUIRES_ACTION:
        return None
    return ApiError(
        409, "The chat waits for no action.", f"Its status is {chat.state.status}. Look at the chat."
    )
