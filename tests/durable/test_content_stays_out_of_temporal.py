"""Temporal's histories are kept for weeks and read by operators: nothing anybody said is in them."""

import json
import re
from typing import Any

from temporalio.client import Client

from activities.providers.demo import DemoModel, script_block
from tests.durable.caller import Caller
from tests.durable.histories import described, history, listed_as, runs, words_in, words_in_history
from tests.durable.refusals import RAISED, SERIALIZATION_FAILURE, refused
from tests.durable.rows import Rows, until

SAID = {
    "a message": "quincemessage",
    "a message in the queue": "quincequeued",
    "a title": "quincetitle",
    "a label": "quincelabel",
    "a system prompt": "quinceprompt",
    "a client's key": "quincekey",
    "thinking": "quincethinking",
    "an answer": "quinceanswer",
    "arguments of a tool": "Kiritimati",
    "a tool's result": "+14:00",
    "arguments of a tool that fails": "Quince/Nowhere",
    "a tool's error": "IANA",
    "the words of a failure that is retried": "quinceoverload",
    "the words of a failure that is not": "quincerefusal",
}
ONLY_ON_THE_STREAM = {SAID["the words of a failure that is retried"]}


async def test_nothing_anybody_said_is_in_temporal(
    caller: Caller, model: DemoModel, rows: Rows, temporal: Client
):
    words = SAID.values()
    chat = await caller.create(
        script_block(
            {
                "thinking": SAID["thinking"],
                "text": SAID["an answer"],
                "tools": [
                    {"name": "current_time", "input": {"timezone": "Pacific/Kiritimati"}},
                    {"name": "current_time", "input": {"timezone": SAID["arguments of a tool that fails"]}},
                ],
                "fault": [
                    {
                        "kind": "status",
                        "status": 529,
                        "message": SAID["the words of a failure that is retried"],
                        "headers": {"retry-after": "2"},
                    }
                ],
            },
            {"text": SAID["an answer"], "hold": {"name": "quince", "after_pieces": 0}},
        )
        + SAID["a message"],
        system_prompt=SAID["a system prompt"],
        labels={"about": SAID["a label"]},
    )
    titled = await caller.http.patch(f"{caller.url}/{chat}", json={"title": SAID["a title"]})
    assert titled.status_code == 204

    async def failed_once() -> list[Any]:
        run = await described(temporal, chat)
        return [run for pending in run.pending_activities if pending.last_failure.message]

    (waiting,) = await until(failed_once)
    assert waiting.pending_activities[0].last_failure.message == "attempt 1 failed: overloaded"
    assert words_in(waiting, [*words, chat]) == {chat}

    await model.reached("quince")
    refused = {"status": 400, "message": SAID["the words of a failure that is not"]}
    await caller.send(
        chat,
        script_block({"fault": [{"kind": "status", **refused}]}) + SAID["a message in the queue"],
        key=SAID["a client's key"],
    )
    streaming = await described(temporal, chat)
    assert len(streaming.pending_activities) == 1
    assert words_in(streaming, [*words, chat]) == {chat}
    model.release("quince")
    await rows.until("SELECT 1 FROM chats WHERE id = :chat AND status = 'error'", chat=chat)

    stored = await everything_stored(rows, chat)
    assert {word for word in words if word not in stored} == ONLY_ON_THE_STREAM
    kept = await runs(temporal, chat)
    for run in kept:
        assert words_in(listed_as(run), [*words, chat]) == {chat}
        assert words_in_history(await history(temporal, run), [*words, chat]) == {chat}
    assert kept


async def test_a_database_that_fails_for_now_does_not_quote_what_was_being_written(
    caller: Caller, rows: Rows, temporal: Client
):
    chat = await caller.create("hello")
    await rows.until("SELECT 1 FROM chats WHERE id = :chat AND status = 'waiting'", chat=chat)
    fault = {"kind": "status", "status": 400, "message": "medlar"}

    async def failed_once() -> list[Any]:
        run = await described(temporal, chat)
        return [run for pending in run.pending_activities if pending.last_failure.message]

    error = ("BEFORE UPDATE ON chats", f"id = '{chat}'", "last_error")
    async with refused(rows.engine, *error, SERIALIZATION_FAILURE):
        await caller.send(chat, script_block({"fault": [fault, fault, fault]}))
        (failed,) = await until(failed_once)
    assert words_in(failed, ["medlar", "UPDATE", chat]) == {chat}
    await rows.until("SELECT 1 FROM chats WHERE id = :chat AND status = 'error'", chat=chat)
    for run in await runs(temporal, chat):
        assert words_in_history(await history(temporal, run), ["medlar", "UPDATE", chat]) == {chat}


async def test_a_database_that_fails_for_good_does_not_quote_it_either(
    caller: Caller, model: DemoModel, rows: Rows, temporal: Client
):
    chat = await caller.create(
        script_block({"text": "medlar", "hold": {"name": "medlar", "after_pieces": 99}})
    )
    await model.reached("medlar")
    answer = ("BEFORE INSERT ON messages", f"chat_id = '{chat}' AND NEW.role = 'assistant'", "content")
    async with refused(rows.engine, *answer, RAISED):
        model.release("medlar")
        await rows.until("SELECT 1 FROM chats WHERE id = :chat AND status = 'error'", chat=chat)
    shown = (await caller.http.get(f"{caller.url}/{chat}")).json()
    assert "medlar" not in json.dumps(shown["last_error"])
    (run,) = await runs(temporal, chat)
    assert words_in_history(await history(temporal, run), ["medlar", "INSERT", chat]) == {chat}


async def everything_stored(rows: Rows, chat: str) -> str:
    """All rows of a chat, without the scripts that tell the model what to say."""
    found = [
        *await rows.ask("SELECT row_to_json(c)::text FROM chats c WHERE id = :chat", chat=chat),
        *await rows.ask("SELECT row_to_json(m)::text FROM messages m WHERE chat_id = :chat", chat=chat),
        *await rows.ask("SELECT row_to_json(d)::text FROM drafts d WHERE chat_id = :chat", chat=chat),
    ]
    return re.sub("```demo.*?```", "", "\n".join(row[0] for row in found))
