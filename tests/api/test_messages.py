"""Messages: read in pages, sent as drafts."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select, update

from api.messages.schemas import MessagePage, SentMessage
from models.chat_state import StateName
from models.store import catalog
from models.store import chats as chat_store
from models.store import drafts as draft_store
from models.store.catalog import NewModel
from models.store.configuration import read_model
from models.store.tables import chats, drafts, messages, queued_messages
from runtime.configuration import ChangeKind, Configuration
from tests.api.conftest import Door
from tests.api.sending import place, send
from tests.api.served import Body, text


async def add_messages(door: Door, chat: Body, count: int) -> list[int]:
    rows = [
        {
            "chat_id": UUID(chat["id"]),
            "role": "assistant" if number % 2 else "user",
            "content": [{"type": "reasoning", "text": f"m{number}", "provider_metadata": {"secret": 1}}],
            "content_version": 1,
            "revision": 2,
            "turn": 9,
            "step": number,
            "usage": {"input_tokens": 3, "output_tokens": 0},
        }
        for number in range(count)
    ]
    async with door.engine.begin() as conn:
        found = await conn.execute(insert(messages).values(rows).returning(messages.c.id))
        return sorted(found.scalars())


async def ids(door: Door, chat: Body, **params: int) -> tuple[list[int], bool]:
    response = await door.owner.http.get(f"/chats/{chat['id']}/messages", params=params)
    assert response.status_code == 200
    page = MessagePage.model_validate(response.json())
    return [message.id for message in page.messages], page.has_more


async def test_pages_go_down_or_up(door: Door):
    chat = await door.create()
    first = (await ids(door, chat))[0]
    every = first + await add_messages(door, chat, 6)
    assert await ids(door, chat) == (every[::-1], False)
    assert await ids(door, chat, limit=3) == (every[:3:-1], True)
    assert await ids(door, chat, limit=7) == (every[::-1], False)
    assert await ids(door, chat, before_id=every[3], limit=2) == ([every[2], every[1]], True)
    assert await ids(door, chat, after_id=every[1], limit=2) == ([every[2], every[3]], True)
    assert await ids(door, chat, after_id=every[-1]) == ([], False)
    assert await ids(door, chat, after_id=every[1], before_id=every[4]) == ([every[3], every[2]], False)


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0},
        {"limit": 201},
        {"before_id": 0},
        {"after_id": -1},
        {"after_id": "x"},
        {"before_id": 2**63},
        {"after_id": 5, "before_id": 5},
        {"after_id": 6, "before_id": 5},
    ],
)
async def test_wrong_cursors(door: Door, params: dict[str, int]):
    chat = await door.create()
    response = await door.owner.http.get(f"/chats/{chat['id']}/messages", params=params)
    assert response.status_code == 400
    assert response.json()["validations"][0]["field"] in params


async def test_what_belongs_to_the_vendor_and_zeros_stay_inside(door: Door):
    chat = await door.create()
    await add_messages(door, chat, 1)
    newest = (await door.owner.http.get(f"/chats/{chat['id']}/messages")).json()["messages"][0]
    assert newest["content"] == [{"type": "reasoning", "text": "m0"}]
    assert newest["usage"] == {"input_tokens": 3}


async def test_the_queue_comes_with_the_page_without_a_cursor(door: Door):
    chat = await door.create()
    async with door.engine.begin() as conn:
        await conn.execute(
            insert(queued_messages).values(
                chat_id=UUID(chat["id"]),
                content=text("later"),
                content_version=1,
                created_by=door.owner.caller.user_id,
                model_config_id=door.model,
            )
        )
    page = (await door.owner.http.get(f"/chats/{chat['id']}/messages")).json()
    assert [row["content"] for row in page["queued_messages"]] == [text("later")]
    page = (await door.owner.http.get(f"/chats/{chat['id']}/messages", params={"before_id": 10**9})).json()
    assert page["queued_messages"] == []


async def stored(door: Door, chat: Body) -> list[tuple[str, int]]:
    async with door.engine.connect() as conn:
        found = await conn.execute(
            select(drafts.c.state, drafts.c.delivery).where(drafts.c.chat_id == UUID(chat["id"]))
        )
        return [(row.state, row.delivery) for row in found]


async def test_a_message_nobody_takes_is_withdrawn(door: Door):
    chat = await door.create()
    response = await send(door, chat)
    assert response.status_code == 503
    assert "not added" in response.json()["detail"]
    assert int(response.headers["retry-after"]) > 0
    assert await stored(door, chat) == [("withdrawn", 1)]


async def test_a_repetition_revives_the_draft_and_another_body_does_not(door: Door):
    chat = await door.create()
    for _ in range(2):
        assert (await send(door, chat, key="k")).status_code == 503
    assert await stored(door, chat) == [("withdrawn", 2)]
    assert (await send(door, chat, "other", key="k")).status_code == 422
    assert await stored(door, chat) == [("withdrawn", 2)]


async def test_a_repetition_of_a_queued_message_gets_the_first_answer(door: Door):
    chat = await door.create()
    assert (await send(door, chat, key="k")).status_code == 503
    await place(door, chat)
    answer = await send(door, chat, key="k")
    assert answer.status_code == 200
    SentMessage.model_validate(answer.json())
    assert answer.json()["queued"] is True
    assert answer.json()["queued_message"]["content"] == text("and?")
    assert "message" not in answer.json()
    assert (await send(door, chat, key="k")).json() == answer.json()


async def test_a_repetition_of_a_message_in_history_gets_its_row(door: Door):
    chat = await door.create()
    async with door.engine.begin() as conn:
        await conn.execute(update(chats).where(chats.c.id == UUID(chat["id"])).values(status="waiting"))
    assert (await send(door, chat, key="k")).status_code == 503
    await place(door, chat)
    answer = (await send(door, chat, key="k")).json()
    SentMessage.model_validate(answer)
    assert answer["queued"] is False
    assert answer["message"]["content"] == text("and?")
    assert answer["messages"] == [answer["message"]]
    assert (await door.owner.http.get(f"/chats/{chat['id']}")).json()["status"] == "running"


async def test_a_withdrawal_that_comes_too_late_finds_the_answer(door: Door):
    chat = await door.create()
    draft = await draft_store.store_draft(
        door.engine,
        chat_id=UUID(chat["id"]),
        created_by=door.owner.caller.user_id,
        new=draft_store.NewDraft(content=text("x"), request_hash="h"),
    )
    await place(door, chat)
    assert not await draft_store.withdraw(door.engine, draft.id)
    answer = await draft_store.read_answer(door.engine, draft.id)
    assert answer is not None
    assert answer.queued_id is not None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"content": []}, "content"),
        ({"busy_behavior": "shout"}, "busy_behavior"),
        ({"model_config_id": str(uuid4())}, "model_config_id"),
        ({"plan_mode": "plan"}, "plan_mode"),
        ({"reasoning_effort": "highest"}, "reasoning_effort"),
    ],
)
async def test_a_wrong_message_is_not_stored(door: Door, change: Body, field: str):
    chat = await door.create()
    response = await send(door, chat, **change)
    assert response.status_code == 400
    assert response.json()["validations"][0]["field"] == field
    assert await stored(door, chat) == []


async def test_an_archived_chat_takes_no_messages(door: Door):
    chat = await door.create()
    async with door.engine.begin() as conn:
        await conn.execute(
            update(chats).where(chats.c.id == UUID(chat["id"])).values(status="waiting", archived=True)
        )
    response = await send(door, chat)
    assert response.status_code == 400
    assert await stored(door, chat) == []


async def test_without_a_usable_last_model_the_default_is_stored(door: Door):
    chat = await door.create()
    before = await read_model(door.engine, door.model)
    assert before is not None
    new = NewModel(before.provider_id, "another", "d", 1, is_default=True)
    replacement = await catalog.create_model(door.engine, door.organization, new, door.owner.caller.user_id)
    await catalog.change_model(
        door.engine, door.organization, door.model, {"enabled": False}, door.owner.caller.user_id
    )
    configuration: Configuration = door.served.app.state.services.configuration
    await configuration.changed(ChangeKind.MODEL, replacement.id)
    await send(door, chat, model_config_id=str(UUID(int=0)))
    async with door.engine.connect() as conn:
        chosen = await conn.scalar(
            select(drafts.c.model_config_id).where(drafts.c.chat_id == UUID(chat["id"]))
        )
    assert chosen == replacement.id


async def test_the_state_given_to_workflows_is_the_row(door: Door):
    chat = await door.create()
    record = await chat_store.find_chat(door.engine, door.owner.caller, UUID(chat["id"]))
    assert record is not None
    assert record.state.name is StateName.R0
    assert replace(record).state.snapshot_version == 1
