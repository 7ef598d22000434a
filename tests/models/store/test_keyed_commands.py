"""Commands that came with an idempotency key: an empty draft keeps the receipt."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from models.chat_state import StateName
from models.ids import keyed_command_id, keyed_request_id
from models.store.bundle import read_state
from models.store.drafts import Draft, NewDraft, read_answer, store_draft, withdraw
from models.store.tables import drafts
from models.store.transitions import commit_transition
from models.turns import Commit, Receipt, Verdict
from tests.models.store.rows import ChatRows
from workflows.chat.events import ArchivedSet, Event, InterruptAsked, QueuedDeleted
from workflows.chat.machine import decide


async def asked(chat: ChatRows, by: UUID | None = None) -> Draft:
    """What the door stores before it sends a command with a key."""
    new = NewDraft(content=[], request_hash="h", idempotency_key="key")
    return await store_draft(chat.engine, chat_id=chat.chat, created_by=by or chat.owner, new=new)


async def commit(chat: ChatRows, draft: Draft, event: Event) -> Receipt:
    write = decide(await read_state(chat.engine, chat.chat), event)
    return await deliver(chat, Commit(chat_id=chat.chat, command_id=command(draft), write=write))


async def deliver(chat: ChatRows, commit: Commit) -> Receipt:
    return await commit_transition(chat.engine, commit)


def command(draft: Draft) -> str:
    return keyed_command_id(draft.id, draft.delivery)


def test_the_id_of_a_command_names_the_row_that_keeps_its_receipt():
    request = UUID("5c2f0a1e-94d7-4a53-8f0b-6f1f4be1d3a7")
    assert keyed_request_id(keyed_command_id(request, 12)) == request
    for plain in ("interrupt:5c2f0a1e-94d7-4a53-8f0b-6f1f4be1d3a7", f"{request}:1", "FinishTurn/1.2/3"):
        assert keyed_request_id(plain) is None


async def test_the_receipt_is_kept_however_much_happens_after_it(chat: ChatRows):
    await chat.write(StateName.R1)
    draft = await asked(chat)
    first = await commit(chat, draft, InterruptAsked())
    assert first.verdict is Verdict.APPLIED
    await chat.commit(QueuedDeleted(await chat.last_queued()), "another")
    answer = await read_answer(chat.engine, draft.id)
    assert answer is not None
    assert answer.state == first.state
    assert (await asked(chat)).answer == answer, "a repetition of the request finds it"


async def test_delivered_twice_it_is_done_once(chat: ChatRows):
    await chat.write(StateName.W)
    draft = await asked(chat)
    write = decide(await read_state(chat.engine, chat.chat), ArchivedSet(True))
    once = Commit(chat_id=chat.chat, command_id=command(draft), write=write)
    assert (await deliver(chat, once)).verdict is Verdict.APPLIED
    await chat.commit(ArchivedSet(False), "another")
    again = await deliver(chat, once)
    assert again.verdict is Verdict.APPLIED
    assert again.state.archived is False, "the workflow is told how things are"
    assert (await chat.row())["archived"] is False


async def test_withdrawn_it_is_never_done(chat: ChatRows):
    await chat.write(StateName.R0)
    draft = await asked(chat)
    assert await withdraw(chat.engine, draft.id)
    before = await chat.row()
    assert (await commit(chat, draft, InterruptAsked())).verdict is Verdict.WITHDRAWN
    assert await chat.row() == before


async def test_after_a_withdrawal_the_same_request_has_its_own_try(chat: ChatRows):
    await chat.write(StateName.R0)
    first = await asked(chat)
    assert await withdraw(chat.engine, first.id)
    second = await asked(chat)
    assert (second.id, second.delivery) == (first.id, first.delivery + 1)
    assert (await commit(chat, second, InterruptAsked())).verdict is Verdict.APPLIED
    assert not await withdraw(chat.engine, second.id)


async def test_the_same_key_of_another_caller_is_another_request(chat: ChatRows, engine: AsyncEngine):
    await chat.write(StateName.R0)
    mine, theirs = await asked(chat), await asked(chat, UUID(int=7))
    assert mine.id != theirs.id
    assert (await commit(chat, mine, InterruptAsked())).verdict is Verdict.APPLIED
    async with engine.connect() as conn:
        state = await conn.scalar(select(drafts.c.state).where(drafts.c.id == theirs.id))
    assert state == "pending"


async def test_a_refused_command_leaves_its_row_to_be_withdrawn(chat: ChatRows):
    await chat.write(StateName.R1)
    draft = await asked(chat)
    assert (await commit(chat, draft, QueuedDeleted(2**62))).verdict is Verdict.NOT_IN_QUEUE
    assert await withdraw(chat.engine, draft.id)
