"""Messages of the queue that are taken out, or taken first."""

from uuid import uuid4

from activities.providers.demo import DemoModel, script_block
from tests.durable.caller import Caller, text_of
from tests.durable.processes import ToolWorker
from tests.durable.saying import WORDS, held, says
from tests.durable.side_effects import Effects
from tests.durable.tools import THEIRS, asked, awaited, call, results


async def queue(caller: Caller, chat: str, *texts: str) -> list[int]:
    """Queue messages; their ids."""
    return [(await caller.send(chat, text))["queued_message"]["id"] for text in texts]


async def test_a_promoted_message_interrupts_and_goes_before_the_others(caller: Caller, model: DemoModel):
    texts = a, b, c = says("a"), says("b"), says("c")
    chat = await caller.create(held("promote"))
    reader = caller.read(chat)
    await model.reached("promote")
    await reader.until(lambda r: "three" in r.preview)
    ids = await queue(caller, chat, *texts)
    promoted = await caller.promote(chat, ids[1])
    assert (promoted.status_code, promoted.json()) == (202, {"message": "The message is next."})
    await reader.rested(4)
    partial = text_of(reader.answers()[0])
    assert WORDS.startswith(partial)
    assert "three" in partial
    await caller.agree(reader, chat, [held("promote"), b, a, c], [partial, "b", "a", "c"])
    assert (await caller.promote(chat, ids[1])).status_code == 409, "there is no queue any more"


async def test_a_deleted_message_is_never_answered(caller: Caller, model: DemoModel):
    a, b = says("a"), says("b")
    chat = await caller.create(held("delete"))
    reader = caller.read(chat)
    await model.reached("delete")
    first, second = await queue(caller, chat, a, b)
    assert (await caller.delete_queued(chat, first)).status_code == 204
    assert (await caller.delete_queued(chat, first)).status_code == 404
    assert (await caller.promote(chat, first)).status_code == 404
    await reader.until(lambda r: [e for e in r.seen if len(e.get("queued_messages", [])) == 1])
    assert (await caller.delete_queued(chat, second)).status_code == 204
    assert (await caller.delete_queued(chat, second)).status_code == 409
    assert (await caller.http.delete(f"{caller.url}/{chat}/queue/x")).status_code == 400
    model.release("delete")
    await reader.rested()
    await caller.agree(reader, chat, [held("delete")], [WORDS])
    assert "queued_messages" not in [e for e in reader.seen if e["type"] == "queue_update"][-1]


async def test_a_promotion_takes_the_place_of_calls_that_wait_for_a_client(
    worker: ToolWorker, caller: Caller, word: str
):
    chat, reader = await asked(caller, call("theirs", word), **THEIRS)
    await reader.until(lambda r: r.status == "requires_action" and awaited(r))
    a, b = says("a"), says("b")
    _, second = await queue(caller, chat, a, b)
    assert (await caller.promote(chat, second)).status_code == 202
    await reader.rested(3)
    stored = await caller.messages(chat)
    assert [m["role"] for m in stored] == [
        *("user", "assistant", "tool"),
        *("user", "assistant", "user", "assistant"),
    ]
    (result,) = await results(caller, chat)
    assert result["is_error"]
    assert "queued message" in result["result"]
    await caller.agree(reader, chat, [text_of(stored[0]), b, a], ["Let me see.", "b", "a"])


async def test_a_promotion_keeps_the_results_that_our_own_tools_have_given_beside_a_client_s(
    worker: ToolWorker, caller: Caller, effects: Effects, word: str
):
    calls = (call("theirs", word), call("once", word, waits=False), call("guarded", f"{word}b", waits=False))
    chat, reader = await asked(caller, *calls, **THEIRS)
    await reader.until(lambda r: r.status == "requires_action" and len(awaited(r)) == 2)
    given = awaited(reader)[1]["tool_call_id"]
    approved = {"approvals": [{"tool_call_id": given, "decision": "approve"}]}
    assert (await caller.post(chat, "approvals", approved)).status_code == 204
    await reader.until(lambda r: r.status == "requires_action" and len(awaited(r)) == 1)
    await effects.reached(f"{word}b", "began", "done")
    a = says("a")
    (queued,) = await queue(caller, chat, a)
    assert (await caller.promote(chat, queued)).status_code == 202
    await reader.rested(2)
    told = {result["tool_name"]: result for result in await results(caller, chat)}
    assert (told["once"]["result"], told["guarded"]["result"]) == ({"done": word}, {"done": f"{word}b"})
    assert "queued message" in told["theirs"]["result"]
    assert len(await results(caller, chat)) == 3
    assert effects.lines(word) == ["began", "done"]
    stored = await caller.messages(chat)
    await caller.agree(reader, chat, [text_of(stored[0]), a], ["Let me see.", "a"])


async def test_a_backlog_after_an_error_is_answered_from_the_promoted_message_on(
    caller: Caller, model: DemoModel
):
    fault = {
        "kind": "error_event",
        "after_pieces": 2,
        "error_type": "authentication_error",
        "message": "invalid x-api-key",
    }
    hold = {"name": "doomed", "after_pieces": 1}
    doomed = script_block({"text": WORDS, "pieces": 10, "hold": hold, "fault": [fault]}) + f" {uuid4()}"
    chat = await caller.create(doomed)
    reader = caller.read(chat)
    await model.reached("doomed")
    a, b = says("a"), says("b")
    _, second = await queue(caller, chat, a, b)
    model.release("doomed")
    await reader.until(lambda r: r.status == "error")
    assert (await caller.promote(chat, second)).status_code == 202
    await reader.until(lambda r: r.status == "waiting")
    await caller.agree(reader, chat, [doomed, b, a], ["b", "a"])
