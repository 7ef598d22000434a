"""A chat outlives the runs of its workflow: they end when idle and continue as new when long."""

import asyncio
from collections.abc import Sequence

from temporalio.client import Client, WorkflowExecutionStatus

from activities.providers.demo import DemoModel
from tests.durable.caller import Caller, Reader, text_of
from tests.durable.histories import completed, current_run, runs
from tests.durable.processes import IDLE_SECONDS
from tests.durable.saying import says

CLIENTS, MESSAGES_EACH = 6, 5


async def one_more_answer(reader: Reader) -> None:
    known = len(reader.answers())
    await reader.until(lambda r: len(r.answers()) > known)


async def test_messages_sent_while_runs_hand_over_are_answered_once_and_in_order(
    hasty: Caller, model: DemoModel, temporal: Client
):
    chat = await hasty.create(says("first"))
    reader = hasty.read(chat)

    async def say(words: Sequence[str]) -> None:
        for word in words:
            while (answer := await hasty.try_to_send(chat, says(word), key=word)).status_code == 429:
                await one_more_answer(reader)
            assert answer.status_code == 200, answer.text

    spoken = [[f"c{client}m{number}" for number in range(MESSAGES_EACH)] for client in range(CLIENTS)]
    async with asyncio.TaskGroup() as clients:
        for words in spoken:
            clients.create_task(say(words))
    await reader.rested(1 + CLIENTS * MESSAGES_EACH)

    answers = [text_of(message) for message in reader.answers()]
    assert sorted(answers[1:]) == sorted(word for words in spoken for word in words)
    for words in spoken:
        assert sorted(words, key=answers.index) == words
    await hasty.agree(reader, chat, [says(word) for word in answers], answers)
    ends = [run.status for run in await runs(temporal, chat)]
    assert ends.count(WorkflowExecutionStatus.CONTINUED_AS_NEW) >= 3


async def test_an_idle_chat_has_no_run_and_the_next_message_starts_one(hasty: Caller, temporal: Client):
    chat = await hasty.create(says("before"))
    reader = hasty.read(chat)
    await reader.rested()
    first = await completed(temporal, chat)
    await hasty.send(chat, says("after"))
    await reader.rested(2)
    assert (await current_run(temporal, chat)).run_id != first
    await hasty.agree(reader, chat, [says("before"), says("after")], ["before", "after"])


async def test_an_idle_chat_cannot_be_interrupted(hasty: Caller, temporal: Client):
    chat = await hasty.create(says("before"))
    await completed(temporal, chat)
    refused = await hasty.interrupt(chat)
    assert refused.status_code == 409
    await hasty.rows.sound(chat)


async def test_an_idle_chat_is_archived_and_unarchived(hasty: Caller, temporal: Client):
    chat = await hasty.create(says("before"))
    reader = hasty.read(chat)
    for archived in (True, False):
        await completed(temporal, chat)
        assert (await hasty.set_archived(chat, archived)).status_code == 204
        stored = (await hasty.http.get(f"{hasty.url}/{chat}")).json()
        assert stored["archived"] is archived
    await hasty.send(chat, says("after"))
    await reader.rested(2)
    await hasty.agree(reader, chat, [says("before"), says("after")], ["before", "after"])


async def test_no_message_is_lost_that_meets_the_end_of_a_run(hasty: Caller, temporal: Client):
    # from a little before the deadline to a little after it, and on either side well clear of it
    pauses, rounds = (-0.8, *(0.016 * number - 0.06 for number in range(10)), 0.8), 4

    async def talk(number: int) -> int:
        words = [f"chat{number}word{index}" for index in range(rounds + 1)]
        chat = await hasty.create(says(words[0]))
        reader = hasty.read(chat)
        await reader.rested()
        for index in range(1, rounds + 1):
            await asyncio.sleep(IDLE_SECONDS + pauses[number] + 0.008 * (index % 2))
            await hasty.send(chat, says(words[index]))
            await reader.rested(index + 1)
        await hasty.agree(reader, chat, [says(word) for word in words], words)
        return len(await runs(temporal, chat))

    async with asyncio.TaskGroup() as group:
        talks = [group.create_task(talk(number)) for number in range(len(pauses))]
    ended = sum(talk.result() for talk in talks) - len(talks)
    assert 0 < ended < len(talks) * rounds, "some messages met the old run, some had to start another"
