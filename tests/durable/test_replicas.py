"""Readers at one API see what was done at another, and what a worker tells reaches all of them."""

from activities.providers.demo import DemoModel
from tests.durable.caller import Caller, text_of
from tests.durable.saying import WORDS, held


async def test_an_interrupt_is_seen_by_the_readers_of_another_api(
    caller: Caller, hasty: Caller, model: DemoModel
):
    said = held("two-apis")
    chat = await caller.create(said)
    there = hasty.read(chat)
    await model.reached("two-apis")
    await there.until(lambda r: "three" in r.preview)
    seen = there.preview
    assert (await caller.interrupt(chat)).status_code == 200
    await there.rested()
    (kept,) = there.answers()
    assert text_of(kept).startswith(seen)
    assert text_of(kept) != WORDS
    await hasty.agree(there, chat, [said], [text_of(kept)])
