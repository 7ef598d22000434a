"""Every command in every state, over HTTP and with a real worker: carried out or refused as the matrix says.

Chats are written into the database as a crash might have left them; the command is what starts their
workflow. The model stands still in every answer, so that a chat in motion stays where the command has put it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import func, insert, select

from activities.providers.demo import DemoModel, script_block
from models.chat_state import ChatState, ChatStatus, StateName
from models.store.tables import chats, messages, model_configs, queued_messages
from tests.durable.caller import Body, Caller
from tests.durable.rows import until
from workflows.chat.events import Transition
from workflows.chat.machine import allowed

S, T = StateName, Transition

STATES: dict[StateName, tuple[ChatStatus, int, bool]] = {
    S.W: (ChatStatus.WAITING, 0, False),
    S.E0: (ChatStatus.ERROR, 0, False),
    S.E1: (ChatStatus.ERROR, 2, False),
    S.R0: (ChatStatus.RUNNING, 0, False),
    S.R1: (ChatStatus.RUNNING, 2, False),
    S.I0: (ChatStatus.INTERRUPTING, 0, False),
    S.I1: (ChatStatus.INTERRUPTING, 2, False),
    S.A0: (ChatStatus.REQUIRES_ACTION, 0, False),
    S.A1: (ChatStatus.REQUIRES_ACTION, 2, False),
    S.XW: (ChatStatus.WAITING, 0, True),
    S.XE0: (ChatStatus.ERROR, 0, True),
    S.XE1: (ChatStatus.ERROR, 2, True),
    S.INVALID: (ChatStatus.WAITING, 2, False),
}

COMES_TO = {S.I0: (S.W,), S.I1: (S.R0, S.R1)}
"""Where a chat gets from a state by itself, while the model stands still."""

HOUR = func.make_interval(0, 0, 0, 0, 1)

CALL: Body = {"type": "tool-call", "tool_call_id": "call_1", "tool_name": "theirs", "args": {}}


def still(hold: str) -> str:
    """A message whose answer does not go on before the hold is released."""
    step = {"text": "one two", "hold": {"name": hold, "after_pieces": 0}}
    return f"{script_block(step, step)} {uuid4()}"


@dataclass(frozen=True)
class Placed:
    """A chat in a state: its last user message, the last of its queue, and what its answers wait for."""

    caller: Caller
    id: str
    message: int
    queued: int
    hold: str

    def words(self) -> str:
        return still(self.hold)

    async def now(self) -> Any:
        return (await self.caller.rows.ask("SELECT * FROM chats WHERE id = :chat", chat=self.id))[0]

    async def is_in(self, ends: Collection[StateName]) -> list[StateName]:
        """The chat's state, if it is one of these."""
        row = await self.now()
        name = ChatState(status=row.status, archived=row.archived, queued=row.queued).name
        return [name] if name in ends else []


async def placed(caller: Caller, name: StateName, hold: str) -> Placed:
    status, backlog, archived = STATES[name]
    me, chat = await caller.rows.first_user(), uuid4()
    awaits = status is ChatStatus.REQUIRES_ACTION
    call = {"id": "call_1", "name": "theirs", "client": True}
    async with caller.rows.engine.begin() as conn:
        model = await conn.scalar(
            select(model_configs.c.id).where(
                model_configs.c.organization_id == me.organization_id, model_configs.c.is_default
            )
        )
        await conn.execute(
            insert(chats).values(
                id=chat,
                organization_id=me.organization_id,
                owner_id=me.id,
                title="t",
                status=status,
                archived=archived,
                queued=backlog,
                turn=2,
                step=1 if awaits or status is ChatStatus.WAITING else 0,
                turn_ended=status is ChatStatus.WAITING,
                open_calls=[call] if awaits else [],
                requires_action_deadline_at=func.now() + func.make_interval(0, 0, 0, 0, 1)
                if awaits
                else None,
                last_error={"message": "earlier", "retryable": False} if status == "error" else None,
                snapshot_version=10,
                history_version=10,
                last_model_config_id=model,
            )
        )

        async def say(role: str, turn: int, *parts: dict[str, Any]) -> int:
            said = insert(messages).values(
                chat_id=chat,
                role=role,
                content=list(parts),
                content_version=1,
                revision=10,
                turn=turn,
                step=0 if role == "user" else 1,
                created_by=me.id if role == "user" else None,
                model_config_id=model,
            )
            return (await conn.execute(said.returning(messages.c.id))).scalar_one()

        await say("user", 1, {"type": "text", "text": "earlier"})
        await say("assistant", 1, {"type": "text", "text": "answered"})
        message = await say("user", 2, {"type": "text", "text": still(hold)})
        if awaits:
            await say("assistant", 2, CALL)
        if status is ChatStatus.WAITING:
            await say("assistant", 2, {"type": "text", "text": "answered, too"})
        queued = 1
        for _ in range(backlog):
            waits = insert(queued_messages).values(
                chat_id=chat,
                content=[{"type": "text", "text": still(hold)}],
                content_version=1,
                created_by=me.id,
                model_config_id=model,
            )
            queued = (await conn.execute(waits.returning(queued_messages.c.id))).scalar_one()
    return Placed(caller, str(chat), message, queued, hold)


Ask = Callable[[Placed], Awaitable[httpx2.Response]]


def sending(busy: str) -> Ask:
    return lambda chat: chat.caller.try_to_send(chat.id, chat.words(), busy=busy)


def asking(command: str) -> Ask:
    return lambda chat: chat.caller.ask(chat.id, command)


RESULTS: Body = {"results": [{"tool_call_id": "call_1", "output": "done"}]}

COMMANDS: dict[Transition, tuple[Ask, int]] = {
    T.SEND_QUEUE: (sending("queue"), 200),
    T.SEND_INTERRUPT: (sending("interrupt"), 200),
    T.SEND_STEER: (sending("steer"), 200),
    T.EDIT_MESSAGE: (lambda chat: chat.caller.edit(chat.id, chat.message, chat.words()), 200),
    T.DELETE_QUEUED: (lambda chat: chat.caller.delete_queued(chat.id, chat.queued), 204),
    T.PROMOTE_QUEUED: (lambda chat: chat.caller.promote(chat.id, chat.queued), 202),
    T.INTERRUPT: (asking("interrupt"), 200),
    T.COMPLETE_REQUIRES_ACTION: (lambda chat: chat.caller.post(chat.id, "tool-results", RESULTS), 204),
    T.REQUEST_COMPACTION: (asking("compact"), 200),
    T.CLEAR_CONTEXT: (asking("clear"), 200),
    T.ARCHIVE: (lambda chat: chat.caller.set_archived(chat.id, True), 204),
    T.UNARCHIVE: (lambda chat: chat.caller.set_archived(chat.id, False), 204),
    T.RECONCILE_INVALID_STATE: (asking("reconcile-invalid"), 200),
}

SAY_THAT_IT_IS_ARCHIVED = {
    *(T.SEND_QUEUE, T.SEND_INTERRUPT, T.SEND_STEER, T.EDIT_MESSAGE, T.PROMOTE_QUEUED),
    *(T.COMPLETE_REQUIRES_ACTION, T.REQUEST_COMPACTION, T.CLEAR_CONTEXT),
}


def refusal(transition: Transition, name: StateName) -> int:
    """The status of a command that the state does not admit."""
    archived = STATES[name][2]
    needless = (T.ARCHIVE, True), (T.UNARCHIVE, False)
    if (transition, archived) in needless or (archived and transition in SAY_THAT_IT_IS_ARCHIVED):
        return 400
    return 409


@pytest.mark.parametrize("transition", COMMANDS)
async def test_a_command_in_every_state(caller: Caller, model: DemoModel, transition: Transition):
    ask, success = COMMANDS[transition]
    hold = f"still {uuid4()}"

    async def cell(name: StateName) -> None:
        chat = await placed(caller, name, hold)
        before = await chat.now()
        answer = await ask(chat)
        lands = allowed(transition, name)
        assert answer.status_code == (success if lands else refusal(transition, name)), (name, answer.text)
        if lands and transition is T.REQUEST_COMPACTION:
            lands = (*lands, S.W, S.R0)  # the summary does not stand still
        if transition is T.COMPLETE_REQUIRES_ACTION:
            lands = lands[:1]  # all that is awaited has come
        ends = {end for land in lands or (name,) for end in COMES_TO.get(land, (land,))}
        await until(lambda: chat.is_in(ends))
        if not lands and name not in (S.R0, S.R1, S.I0, S.I1):
            assert await chat.now() == before, name

    try:
        await asyncio.gather(*map(cell, STATES))
    finally:
        model.release(hold)
