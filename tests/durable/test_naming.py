"""Titles and labels by a scripted model, beside real turns: late, wrong, renamed over, with dying workers."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from temporalio.client import Client

from activities.providers.demo import DemoModel, script_block
from activities.providers.demo.recorder import RecordedRequest
from cli.stack import Stack
from tests.api.watching.watchers import watching
from tests.durable.caller import Caller
from tests.durable.calling import calling
from tests.durable.histories import current_run, history, words_in_history
from tests.durable.processes import another_api
from tests.durable.rows import Rows, until

TITLE, LABEL = "name_chat", "label_turn"
PROVISIONAL = "Please read this"


@pytest.fixture(scope="module")
async def naming_api(perdure: Stack) -> AsyncGenerator[str]:
    async with another_api(perdure, PERDURE_TITLES="true", PERDURE_TURN_LABELS="true") as url:
        yield url


@pytest.fixture
async def namer(perdure: Stack, naming_api: str, model: DemoModel, rows: Rows) -> AsyncGenerator[Caller]:
    async with calling(perdure, naming_api, rows, model) as caller:
        yield caller


def titled(title: object, **more: Any) -> dict[str, Any]:
    return {TITLE: {"tools": [{"name": TITLE, "input": {"title": title}}], **more}}


def labelled(label: object, **more: Any) -> dict[str, Any]:
    return {LABEL: {"tools": [{"name": LABEL, "input": {"label": label}}], **more}}


def said(*steps: dict[str, Any], aside: dict[str, Any] | None = None) -> str:
    """A message that begins with `PROVISIONAL`. Never the same twice: equal ones would share their faults."""
    return f"{PROVISIONAL}\n{script_block(*(steps or ({'text': 'Done.'},)), aside=aside)} {uuid4()}"


def asides(model: DemoModel, chat: str, tool: str) -> list[RecordedRequest]:
    """Of this chat: those of the chats before it may still be on their way."""
    asked = model.requests_of(chat)
    return [one for one in asked if one.body.get("tool_choice", {}).get("name") == tool]


async def chat_row(rows: Rows, chat: str) -> Any:
    (row,) = await rows.ask("SELECT * FROM chats WHERE id = :chat", chat=chat)
    return row


async def until_titled(rows: Rows, chat: str, title: str) -> None:
    await rows.until("SELECT 1 FROM chats WHERE id = :chat AND title = :title", chat=chat, title=title)


async def until_labelled(rows: Rows, chat: str, label: str) -> None:
    await rows.until(
        "SELECT 1 FROM chats WHERE id = :chat AND last_turn_summary = :label", chat=chat, label=label
    )


async def costs(rows: Rows, chat: str) -> list[Any]:
    return await rows.ask(
        "SELECT * FROM messages WHERE chat_id = :chat AND deleted AND visibility = 'model' ORDER BY id",
        chat=chat,
    )


async def named_to_the_end(temporal: Client, chat: str) -> None:
    """Wait until nothing goes on beside the turns any more."""

    async def done() -> list[bool]:
        run: Any = await current_run(temporal, chat)
        return [] if run.raw_description.pending_activities else [True]

    await until(done)


async def test_title_and_label_come_beside_the_turn_and_are_told(namer: Caller, model: DemoModel, rows: Rows):
    aside = {**titled("Reading of scripts"), **labelled("Read one script")}
    async with watching(namer.v2) as chats, watching(namer.v2, "/notifications/inbox/watch") as inbox:
        chat = await namer.create(said(aside=aside))
        await chats.until(lambda w: {"title_change", "summary_change"} <= set(w.kinds(chat)))
        await inbox.until(lambda w: w.told)
    assert sorted(chats.kinds(chat)) == ["created", "status_change", "summary_change", "title_change"]
    assert chats.last("title_change")["chat"]["title"] == "Reading of scripts"
    assert chats.last("summary_change")["chat"]["last_turn_summary"] == "Read one script"
    (told,) = inbox.told
    assert told["notification"]["content"] == "Read one script"
    (title,), (label,) = asides(model, chat, TITLE), asides(model, chat, LABEL)
    assert title.body["max_tokens"] == 256
    assert label.body["max_tokens"] == 64
    await namer.rows.sound(chat)
    spent = await costs(rows, chat)
    assert len(spent) == 2
    assert all(row.usage["output_tokens"] > 0 and row.role == "assistant" for row in spent)
    assert len(await namer.messages(chat)) == 2


async def test_a_slow_title_does_not_delay_the_turn(namer: Caller, model: DemoModel, rows: Rows):
    chat = await namer.create(
        said(aside=titled("Late but right", hold={"name": "naming-slow", "after_pieces": 0}))
    )
    reader = namer.read(chat)
    await reader.rested()
    assert (await chat_row(rows, chat)).title.startswith(PROVISIONAL)
    model.release("naming-slow")
    await until_titled(rows, chat, "Late but right")


async def test_a_rename_by_hand_wins(namer: Caller, model: DemoModel, rows: Rows, temporal: Client):
    hold = {"name": "naming-renamed", "after_pieces": 0}
    chat = await namer.create(said(aside=titled("By the model", hold=hold)))
    await model.reached("naming-renamed")
    renamed = await namer.http.patch(f"{namer.url}/{chat}", json={"title": "By hand"})
    assert renamed.status_code == 204
    model.release("naming-renamed")
    await named_to_the_end(temporal, chat)
    assert (await chat_row(rows, chat)).title == "By hand"
    assert [row for row in await costs(rows, chat) if row.turn == 0], "it was paid for all the same"


@pytest.mark.parametrize(
    "step",
    [
        titled("Short")[TITLE],
        titled(7)[TITLE],
        {"text": "I would rather chat."},
        {"text": '{"title": '},
        {"fault": [{"kind": "status", "status": 400, "message": "no"}]},
    ],
    ids=["one word", "a number", "words", "half of JSON", "refused"],
)
async def test_what_is_no_title_leaves_the_provisional_one(
    namer: Caller, rows: Rows, temporal: Client, step: dict[str, Any]
):
    chat = await namer.create(said(aside={TITLE: step}))
    before = (await chat_row(rows, chat)).title
    await namer.read(chat).rested()
    await named_to_the_end(temporal, chat)
    row = await chat_row(rows, chat)
    assert (row.title, row.status) == (before, "waiting")
    assert before.startswith(PROVISIONAL)


async def test_a_title_is_asked_for_again_after_a_passing_failure(
    namer: Caller, model: DemoModel, rows: Rows
):
    busy = {"kind": "status", "status": 529, "error_type": "overloaded_error", "message": "busy"}
    chat = await namer.create(said(aside=titled("Second try works", fault=[busy])))
    await until_titled(rows, chat, "Second try works")
    assert len(asides(model, chat, TITLE)) == 2


async def test_a_worker_killed_while_it_finds_a_title(
    perdure: Stack, namer: Caller, model: DemoModel, rows: Rows
):
    hold = {"name": "naming-killed", "after_pieces": 0}
    chat = await namer.create(said(aside=titled("Found after all", hold=hold)))
    await model.reached("naming-killed")
    await perdure.kill("worker")
    model.release("naming-killed")
    await perdure.start("worker")
    await until_titled(rows, chat, "Found after all")
    assert len(asides(model, chat, TITLE)) == 2
    await namer.read(chat).rested()


async def test_a_second_turn_asks_for_no_title_and_for_one_label(
    namer: Caller, model: DemoModel, rows: Rows, temporal: Client
):
    chat = await namer.create(said(aside={**titled("One two three"), **labelled("First thing done")}))
    await until_labelled(rows, chat, "First thing done")
    await namer.send(chat, said(aside=labelled("Second thing done")))
    await until_labelled(rows, chat, "Second thing done")
    await named_to_the_end(temporal, chat)
    assert (len(asides(model, chat, TITLE)), len(asides(model, chat, LABEL))) == (1, 2)


@pytest.mark.parametrize("label", ["The agent has done it", "Did it.", "Done", 7])
async def test_what_is_no_label_becomes_the_plain_one(namer: Caller, rows: Rows, label: object):
    chat = await namer.create(said(aside=labelled(label)))
    await until_labelled(rows, chat, "Finished latest turn")


async def test_a_label_that_fails_is_not_asked_for_again(namer: Caller, model: DemoModel, rows: Rows):
    busy = {"kind": "status", "status": 529, "error_type": "overloaded_error", "message": "busy"}
    chat = await namer.create(said(aside=labelled("Never seen twice", fault=[busy])))
    await until_labelled(rows, chat, "Finished latest turn")
    assert len(asides(model, chat, LABEL)) == 1


async def test_an_answer_of_blanks_ends_the_turn_and_no_label_is_asked_for(
    namer: Caller, model: DemoModel, rows: Rows, temporal: Client
):
    chat = await namer.create(said({"text": " \n\t "}, aside=labelled("Never asked for")))
    await until_labelled(rows, chat, "Finished latest turn")
    await named_to_the_end(temporal, chat)
    assert asides(model, chat, LABEL) == []
    assert [message["role"] for message in await namer.messages(chat)] == ["user"]
    await namer.rows.sound(chat)


async def test_a_label_that_comes_late_does_not_land_on_a_newer_turn(
    namer: Caller, model: DemoModel, rows: Rows, temporal: Client
):
    hold = {"name": "naming-stale", "after_pieces": 0}
    chat = await namer.create(said(aside=labelled("Of turn one", hold=hold)))
    await model.reached("naming-stale")
    await namer.send(chat, said({"text": "two", "hold": {"name": "naming-second", "after_pieces": 0}}))
    await model.reached("naming-second")
    model.release("naming-stale")
    await rows.until(
        "SELECT 1 FROM inbox_notifications WHERE chat_id = :chat AND content = 'Of turn one'", chat=chat
    )
    assert (await chat_row(rows, chat)).last_turn_summary is None, "a new turn has none yet"
    model.release("naming-second")
    await rows.until("SELECT 1 FROM chats WHERE id = :chat AND last_turn_summary <> ''", chat=chat)
    assert (await chat_row(rows, chat)).last_turn_summary != "Of turn one"


async def test_errors_and_interrupts_leave_no_label(namer: Caller, model: DemoModel, rows: Rows):
    chat = await namer.create(said(aside=labelled("First thing done")))
    await until_labelled(rows, chat, "First thing done")
    calls = len(asides(model, chat, LABEL))
    await namer.send(chat, said({"fault": [{"kind": "status", "status": 400, "message": "no"}]}))
    await rows.until("SELECT 1 FROM chats WHERE id = :chat AND status = 'error'", chat=chat)
    assert (await chat_row(rows, chat)).last_turn_summary is None
    await namer.send(chat, said({"text": "a b c d", "hold": {"name": "naming-cut", "after_pieces": 2}}))
    await model.reached("naming-cut")
    assert (await namer.interrupt(chat)).status_code == 200
    await rows.until("SELECT 1 FROM chats WHERE id = :chat AND status = 'waiting'", chat=chat)
    assert (await chat_row(rows, chat)).last_turn_summary is None
    assert [one.body["messages"] for one in asides(model, chat, LABEL)[calls:]] == []


async def test_a_worker_killed_while_it_finds_a_label(
    perdure: Stack, namer: Caller, model: DemoModel, rows: Rows
):
    hold = {"name": "naming-label-killed", "after_pieces": 0}
    chat = await namer.create(said(aside=labelled("Found after all", hold=hold)))
    await model.reached("naming-label-killed")
    await perdure.kill("worker")
    model.release("naming-label-killed")
    await perdure.start("worker")
    await until_labelled(rows, chat, "Found after all")
    found = await rows.ask("SELECT content FROM inbox_notifications WHERE chat_id = :chat", chat=chat)
    assert [row.content for row in found] == ["Found after all"]


async def propose(caller: Caller, chat: str) -> httpx2.Response:
    return await caller.ask(chat, "title/propose")


async def test_a_proposal_is_answered_and_not_kept_as_the_title(caller: Caller, rows: Rows):
    chat = await caller.create(said(aside=titled("Proposed by model")))
    await caller.read(chat).rested()
    before = await chat_row(rows, chat)
    answer = await propose(caller, chat)
    assert (answer.status_code, answer.json()) == (200, {"title": "Proposed by model"})
    after = await chat_row(rows, chat)
    assert (after.title, after.snapshot_version) == (before.title, before.snapshot_version)
    (spent,) = await costs(rows, chat)
    assert spent.usage["input_tokens"] > 0
    assert len(await caller.messages(chat)) == 2


@pytest.mark.parametrize(
    ("step", "status"),
    [
        ({"fault": [{"kind": "status", "status": 400, "message": "no"}]}, 500),
        ({"text": "I would rather chat."}, 500),
    ],
)
async def test_a_proposal_that_fails_says_so(caller: Caller, step: dict[str, Any], status: int):
    chat = await caller.create(said(aside={TITLE: step}))
    await caller.read(chat).rested()
    answer = await propose(caller, chat)
    assert answer.status_code == status
    assert answer.json()["message"] == "The model has proposed no title."


async def test_a_client_that_leaves_ends_its_proposal(caller: Caller, model: DemoModel, temporal: Client):
    chat = await caller.create(
        said(aside=titled("Too late", hold={"name": "naming-left", "after_pieces": 0}))
    )
    await caller.read(chat).rested()
    leaving = asyncio.create_task(propose(caller, chat))
    await model.reached("naming-left")
    leaving.cancel()

    async def given_up() -> list[Any]:
        return [one async for one in temporal.list_workflows("ExecutionStatus = 'Canceled'")]

    await until(given_up)
    model.release("naming-left")


async def test_no_name_is_in_temporal(namer: Caller, rows: Rows, temporal: Client):
    aside = {**titled("Quince title here"), **labelled("Quince label here")}
    chat = await namer.create(said({"text": "quinceanswer"}, aside=aside) + " quincequestion")
    await until_titled(rows, chat, "Quince title here")
    await until_labelled(rows, chat, "Quince label here")
    await named_to_the_end(temporal, chat)
    assert (await propose(namer, chat)).json() == {"title": "Quince title here"}
    words = ["Quince", "quince", chat]
    run = await current_run(temporal, chat)
    assert words_in_history(await history(temporal, run), words) == {chat}
    proposals = [one async for one in temporal.list_workflows("WorkflowType = 'TitleWorkflow'")]
    for proposal in proposals:
        assert words_in_history(await history(temporal, proposal), words) <= {chat}
    assert proposals
