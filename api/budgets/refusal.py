"""Refusing what would begin a turn where a budget is used up (spec chat-loop.md 3.6)."""

from api.errors import ApiError
from api.services import Services
from models.spending import ADVICE, Payer
from models.spending import used_up as told
from models.store.chats import ChatRecord
from models.store.reading import reading
from models.store.spending import read_exhausted


async def budget_problem(services: Services, chat: ChatRecord) -> ApiError | None:
    """Why nothing may be said in a chat, if a budget is used up: 409 with its figures."""
    if not chat.exhausted:
        return None
    return await used_up(
        services, Payer(chat.organization_id, chat.owner_id, chat.id, chat.root_chat_id or chat.id)
    )


async def used_up(services: Services, payer: Payer) -> ApiError:
    """The refusal of a call that would spend from pots of which one is used up."""
    async with reading(services.engine) as conn:
        pot = await read_exhausted(conn, payer)
    if pot is None:  # somebody has raised it this very moment
        return ApiError(409, "A budget was used up.", "Repeat the request.")
    figures = {"limit_micros": pot.limit_micros, "consumed_micros": pot.consumed_micros}
    return ApiError(409, told(pot), ADVICE, figures=figures)
