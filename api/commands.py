"""Commands to a chat's workflow, and the HTTP answers to what may become of them."""

from uuid import uuid4

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncEngine

from api.errors import ApiError, invalid, not_found, unavailable
from api.requests import command_hash, key_reused
from api.services import Services
from api.temporal_gateway import Command, CommandRejected, TemporalGateway, Unavailable
from models.chat_state import ChatState
from models.ids import keyed_command_id
from models.store import drafts
from models.store.accounts import Caller
from models.store.chats import ChatRecord
from models.store.drafts import Answer, Draft, NewDraft
from models.turns import Receipt, Verdict


def rejection(error: CommandRejected) -> ApiError:
    """The answer to a command the chat is in no state for."""
    if error.kind == "InvalidState":
        return ApiError(409, "The chat is in an invalid state.", error.reason)
    return ApiError(409, "The chat is in no state for this.", error.reason)


def no_model() -> ApiError:
    """The answer to a message whose model is gone, in an organization without a default."""
    return invalid(
        ("model_config_id", "The model is not on offer any more, and the organization has no default model.")
    )


_NOT_DONE = {
    Verdict.NOTHING_TO_COMPACT: (
        "There is nothing to compact.",
        "The model has said nothing since the conversation was compacted or cleared last.",
    ),
    Verdict.NOTHING_TO_CLEAR: (
        "There is nothing to clear.",
        "Nothing was said since the conversation was compacted or cleared last.",
    ),
    Verdict.FAMILY_BUSY: (
        "A chat of a subagent is in no state for this.",
        "Wait until it rests, or interrupt it.",
    ),
    Verdict.FAMILY_INVALID: ("A chat of a subagent is in an invalid state.", "Reconcile it first."),
}
"""Refusals with 409."""


async def run_once(
    services: Services,
    chat: ChatRecord,
    caller: Caller,
    name: Command,
    argument: BaseModel | None = None,
    *,
    key: str | None,
) -> ChatState:
    """Carry out a command that has no content, once for all requests of the caller that come with this key.

    An empty draft keeps the receipt, as that of a message does: it ends as exactly one of delivered and
    withdrawn, so a repetition gets the first answer, or has its own try.

    Returns:
        The chat's state as the command has left it.

    Raises:
        ApiError: as `run_command`; 422, the key came with another request before.
    """
    gateway = services.gateway
    if key is None:
        return (await run_command(gateway, chat, name, argument, update_id=f"{name}:{uuid4()}")).state
    new = NewDraft(content=[], request_hash=command_hash(name, argument), idempotency_key=key)
    draft = await drafts.store_draft(services.engine, chat_id=chat.id, created_by=caller.user_id, new=new)
    if draft.request_hash != new.request_hash:
        raise key_reused()
    answer = draft.answer or await _carried_out(services, chat, name, argument, draft)
    assert answer.state is not None  # an equal hash: it was a command without content then, too
    return answer.state


async def _carried_out(
    services: Services, chat: ChatRecord, name: Command, argument: BaseModel | None, draft: Draft
) -> Answer:
    try:
        command_id = keyed_command_id(draft.id, draft.delivery)
        await run_command(services.gateway, chat, name, argument, update_id=command_id)
    except ApiError as error:
        not_done = _withdrawn() if error.status == 503 else error
        return await answer_or(services.engine, draft, not_done)
    answer = await drafts.read_answer(services.engine, draft.id)
    assert answer is not None  # it was applied, and that is where the receipt is kept
    return answer


def _withdrawn() -> ApiError:
    return unavailable(
        "No worker has taken this in time.",
        "Nothing was done. Repeat the request, with the same Idempotency-Key.",
    )


async def answer_or(engine: AsyncEngine, draft: Draft, error: ApiError) -> Answer:
    """Withdraw a draft and raise, unless it was placed after all."""
    if await drafts.withdraw(engine, draft.id):
        raise error
    answer = await drafts.read_answer(engine, draft.id)
    if answer is None:  # another request with the same key has just revived it
        raise error
    return answer


async def run_command(
    gateway: TemporalGateway,
    chat: ChatRecord,
    name: Command,
    argument: BaseModel | None = None,
    *,
    update_id: str,
) -> Receipt:
    """Send a command that has no draft, and wait for its receipt.

    Raises:
        ApiError: 409, the chat is in no state for it; 503, it was not taken in time; what the verdict
            says otherwise.
    """
    try:
        receipt = await gateway.command(chat, name, argument, update_id=update_id)
    except CommandRejected as error:
        raise rejection(error) from error
    except Unavailable as error:
        raise unavailable(
            "No worker has answered in time.",
            "The request may still be carried out. Look at the chat, then repeat it if need be.",
        ) from error
    if receipt.verdict in _NOT_DONE:
        raise ApiError(409, *_NOT_DONE[receipt.verdict])
    if receipt.verdict is Verdict.NOT_IN_QUEUE:
        raise not_found("queued message")
    if receipt.verdict is Verdict.NO_MODEL:
        raise no_model()
    if receipt.verdict is Verdict.WITHDRAWN:
        raise _withdrawn()  # by another request with the same key, or the sweeper
    if receipt.verdict is not Verdict.APPLIED:
        raise ApiError(
            409, "The chat changed at the same time.", "Look at the chat, then repeat the request."
        )
    return receipt
