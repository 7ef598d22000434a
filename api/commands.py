"""Commands to a chat's workflow, and the HTTP answers to what may become of them."""

from pydantic import BaseModel

from api.errors import ApiError, invalid, not_found, unavailable
from api.temporal_gateway import Command, CommandRejected, TemporalGateway, Unavailable
from models.store.chats import ChatRecord
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
        ApiError: 409, the chat is in no state for it; 503, there was no answer in time; what the verdict
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
    if receipt.verdict is not Verdict.APPLIED:
        raise ApiError(
            409, "The chat changed at the same time.", "Look at the chat, then repeat the request."
        )
    return receipt
