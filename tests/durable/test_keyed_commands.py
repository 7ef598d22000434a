"""Commands that a client repeats under one key: carried out once, answered the same."""

import asyncio

import httpx2

from activities.providers.demo import DemoModel
from cli.stack import Stack
from tests.durable.caller import Body, Caller, text_of
from tests.durable.saying import held, says


async def asked(caller: Caller, chat: str, what: str, key: str, method: str = "POST") -> httpx2.Response:
    headers = {"Idempotency-Key": key}
    return await caller.http.request(method, f"{caller.url}/{chat}/{what}", headers=headers)


def told(answers: list[httpx2.Response]) -> list[tuple[int, Body]]:
    """Statuses, and what the chats were said to be at; when they were changed last goes on by itself."""
    return [(answer.status_code, answer.json()["status"]) for answer in answers]


async def test_of_ten_interrupts_under_one_key_all_are_accepted_and_one_is_done(
    caller: Caller, model: DemoModel
):
    chat = await caller.create(held("one-interrupt"))
    reader = caller.read(chat)
    await model.reached("one-interrupt")
    sent = await asyncio.gather(*(asked(caller, chat, "interrupt", "k") for _ in range(10)))
    assert told(sent) == [(200, "interrupting")] * 10
    await reader.rested()
    await caller.send(chat, says("next"))
    await reader.rested(2)
    assert told([await asked(caller, chat, "interrupt", "k")]) == [(200, "interrupting")]
    partial = text_of(reader.answers()[0])
    said = [text_of(m) for m in await caller.messages(chat) if m["role"] == "user"]
    await caller.agree(reader, chat, said, [partial, "next"])


async def test_a_deletion_and_a_promotion_repeated_are_answered_as_at_first(caller: Caller, model: DemoModel):
    a, b = says("a"), says("b")
    chat = await caller.create(held("queue-keys"))
    reader = caller.read(chat)
    await model.reached("queue-keys")
    first, second = [(await caller.send(chat, text))["queued_message"]["id"] for text in (a, b)]
    for _ in range(2):
        assert (await asked(caller, chat, f"queue/{first}", "drop", "DELETE")).status_code == 204
    promoted = [await asked(caller, chat, f"queue/{second}/promote", "raise") for _ in range(2)]
    await reader.rested(2)
    promoted.append(await asked(caller, chat, f"queue/{second}/promote", "raise"))
    assert [answer.status_code for answer in promoted] == [202, 202, 202]
    assert (await asked(caller, chat, f"queue/{second}/promote", "fresh")).status_code == 409
    partial = text_of(reader.answers()[0])
    await caller.agree(reader, chat, [held("queue-keys"), b], [partial, "b"])


async def test_a_context_is_compacted_and_cleared_once_per_key(caller: Caller, model: DemoModel):
    chat = await caller.create(says("a"))
    reader = caller.read(chat)
    await reader.rested()
    cleared = [await asked(caller, chat, "clear", "clear") for _ in range(3)]
    assert told(cleared) == [(200, "waiting")] * 3
    rows = [m for m in await caller.messages(chat) if "chat_cleared" in str(m["content"])]
    assert [m["role"] for m in rows] == ["assistant", "tool"]
    await caller.send(chat, says("b"))
    await reader.rested(3)
    compacted = [await asked(caller, chat, "compact", "compact") for _ in range(3)]
    assert told(compacted) == [(200, "running")] * 3
    await reader.until(lambda r: "chat_summarized" in str(r.messages) and r.status == "waiting")
    assert told([await asked(caller, chat, "compact", "compact")]) == [(200, "running")]
    assert (await asked(caller, chat, "compact", "again")).status_code == 409, "nothing was said since"


async def test_a_key_stands_for_one_request(caller: Caller, model: DemoModel):
    chat = await caller.create(held("one-request"))
    await model.reached("one-request")
    queued = (await caller.send(chat, says("a"), key="taken"))["queued_message"]["id"]
    assert (await asked(caller, chat, "interrupt", "taken")).status_code == 422
    assert (await asked(caller, chat, f"queue/{queued}", "taken", "DELETE")).status_code == 422
    assert (await asked(caller, chat, "interrupt", "x" * 256)).status_code == 400
    assert (await asked(caller, chat, f"queue/{queued}", "other", "DELETE")).status_code == 204
    assert (await asked(caller, chat, f"queue/{queued + 1}", "other", "DELETE")).status_code == 422
    model.release("one-request")
    await caller.read(chat).rested()


async def test_a_refusal_is_not_kept_the_next_try_is_judged_anew(caller: Caller, model: DemoModel):
    chat = await caller.create(says("a"))
    reader = caller.read(chat)
    await reader.rested()
    assert (await asked(caller, chat, "interrupt", "k")).status_code == 409
    await caller.send(chat, held("judged-anew"))
    await model.reached("judged-anew")
    assert (await asked(caller, chat, "interrupt", "k")).status_code == 200
    await reader.rested(2)


async def test_a_command_that_met_no_worker_is_not_done_until_it_is_repeated(
    caller: Caller, model: DemoModel, perdure: Stack
):
    chat = await caller.create(says("a"))
    reader = caller.read(chat)
    await reader.rested()
    await perdure.stop("worker")
    try:
        refused = await asked(caller, chat, "clear", "k")
        assert refused.status_code == 503
        assert "Nothing was done" in refused.json()["detail"]
    finally:
        await perdure.start("worker")
    await caller.send(chat, says("b"))
    await reader.rested(2)
    assert "chat_cleared" not in str(await caller.messages(chat))
    assert told([await asked(caller, chat, "clear", "k"), await asked(caller, chat, "clear", "k")]) == [
        (200, "waiting"),
        (200, "waiting"),
    ]
