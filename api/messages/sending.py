"""The way of a message into a chat: stored as a draft, delivered by id, answered once.

Whatever dies on the way, the draft ends as exactly one of delivered and withdrawn, and a repetition under
the same key finds out which.
"""

from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from api.commands import answer_or, no_model, rejection
from api.content import NO_SUCH_FILE
from api.errors import ApiError, invalid, not_found, unavailable
from api.payloads import message_payload, queued_payload
from api.requests import key_reused
from api.services import Services
from api.temporal_gateway import Command, CommandRejected, Unavailable
from models.store import drafts, messages
from models.store.accounts import Caller
from models.store.chats import ChatRecord
from models.store.drafts import Answer, Draft, NewDraft
from models.store.messages import QueuedRecord
from models.turns import Verdict


async def store(
    services: Services, chat: ChatRecord, caller: Caller, draft: NewDraft, problem: ApiError | None = None
) -> Draft:
    """Store what is to be delivered, or find what an earlier request under the same key has stored.

    Args:
        problem: Why it cannot be placed, as far as can be seen here. A repetition of a request that was
            answered gets its answer all the same: it is what has changed the chat since.

    Raises:
        ApiError: `problem`; 422, the key came with another request before.
    """
    if problem is not None and draft.idempotency_key is None:
        raise problem
    stored = await drafts.store_draft(services.engine, chat_id=chat.id, created_by=caller.user_id, new=draft)
    if stored.request_hash != draft.request_hash:
        raise key_reused()
    if problem is None or stored.answer is not None:
        return stored
    return replace(stored, answer=await answer_or(services.engine, stored, problem))


async def deliver(
    services: Services, chat: ChatRecord, draft: Draft, name: Command, command: BaseModel
) -> Answer:
    """See to it that a draft is placed, now or by an earlier delivery.

    Raises:
        ApiError: It was not, and will not be: 409, 429 or 503.
    """
    if draft.answer is not None:
        return draft.answer
    try:
        receipt = await services.gateway.command(
            chat,
            name,
            command,
            update_id=f"{draft.id}:{draft.delivery}",
        )
    except CommandRejected as error:
        return await answer_or(services.engine, draft, rejection(error))
    except Unavailable:
        return await answer_or(services.engine, draft, _not_taken())
    match receipt.verdict:
        case Verdict.APPLIED:
            return Answer(receipt.message_ids, receipt.queued_id, receipt.version)
        case Verdict.QUEUE_FULL:
            full = ApiError(
                429,
                "The queue of this chat is full.",
                "Wait until a queued message has been answered, then repeat the request.",
            )
            return await answer_or(services.engine, draft, full)
        case Verdict.MESSAGE_GONE:
            return await answer_or(services.engine, draft, not_found("message"))
        case Verdict.NO_MODEL:
            return await answer_or(services.engine, draft, no_model())
        case Verdict.FILE_GONE:
            return await answer_or(services.engine, draft, invalid(("content", NO_SUCH_FILE)))
        case Verdict.OTHER_CALLS:
            other = ApiError(409, "The chat waits for answers to other calls now.", "Look at the chat.")
            return await answer_or(services.engine, draft, other)
        case _:
            return await answer_or(services.engine, draft, _not_taken())


def _not_taken() -> ApiError:
    return unavailable(
        "No worker has taken this in time.",
        "It was not added to the chat. Repeat the request, with the same Idempotency-Key if it had one.",
    )


async def sent_payload(
    services: Services, chat: ChatRecord, draft: Draft, content: list[dict[str, Any]], answer: Answer
) -> dict[str, Any]:
    """A `SentMessage`. The queue row may have moved on already, so it is told from its draft."""
    rows = await messages.read_messages(services.engine, chat.id, answer.message_ids)
    inserted = [message_payload(row) for row in rows]
    payload: dict[str, Any] = {"queued": answer.queued_id is not None}
    if inserted:
        payload["messages"] = inserted
    if answer.queued_id is not None:
        model = draft.model_config_id or chat.last_model_config_id
        payload["queued_message"] = queued_payload(
            QueuedRecord(answer.queued_id, chat.id, content, model, draft.created_at)
        )
    elif inserted:
        payload["message"] = inserted[-1]
    return payload


async def edited_payload(services: Services, chat: ChatRecord, answer: Answer) -> dict[str, Any]:
    """An `EditedMessage`."""
    rows = await messages.read_messages(services.engine, chat.id, answer.message_ids)
    inserted = [message_payload(row) for row in rows]
    return {
        "message": inserted[-1],
        "messages": inserted,
        "deleted_message_ids": await messages.read_deleted_ids(services.engine, chat.id, answer.version),
    }
