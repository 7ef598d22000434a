"""Functions of a program are called when the model asks for them, and answered once."""

import asyncio
import threading
from contextlib import AbstractAsyncContextManager
from typing import Any

from activities.providers.demo import script_block
from cli.stack import Stack
from perdure.client import ActionRequiredEvent, Chat, Decision, Part, PendingCall, Perdure, Tool, ToolFailed
from tests.perdure.proxy import Proxy


def calls(*wanted: tuple[str, dict[str, Any]], then: str = "done") -> str:
    """A message whose answer calls these tools, and then says something."""
    tools = [{"name": name, "input": arguments} for name, arguments in wanted]
    return script_block({"tools": tools}, {"text": then})


async def results(chat: Chat) -> list[Part]:
    """The results in history, in their order."""
    rows = await chat.history()
    return [part for row in rows for part in row.content if part.type == "tool-result"]


async def test_async_and_sync_functions_are_called_with_what_the_model_gives(perdure: Perdure) -> None:
    threads: list[threading.Thread] = []

    @perdure.tool
    async def double(number: int) -> dict[str, int]:
        """Twice a number."""
        return {"twice": 2 * number}

    @perdure.tool(name="shout", description="Louder.")
    def loud(word: str, marks: int = 1) -> str:
        threads.append(threading.current_thread())
        return word.upper() + "!" * marks

    assert await double(2) == {"twice": 4}  # it is still a function
    chat = await perdure.chats.create(calls(("double", {"number": 21}), ("shout", {"word": "hey"})))
    assert (await chat.wait()).text == "done"
    assert [(part.tool_name, part.result) for part in await results(chat)] == [
        ("double", {"twice": 42}),
        ("shout", "HEY!"),
    ]
    assert threads != [threading.main_thread()]


async def test_what_goes_wrong_in_a_tool_is_told_to_the_model(perdure: Perdure) -> None:
    async def broken() -> None:
        raise RuntimeError("out of paper")

    async def refuses() -> None:
        raise ToolFailed("Not on a Friday.")

    async def strict(number: int) -> int:
        return number

    async def strange() -> object:
        return object()

    script = calls(("broken", {}), ("refuses", {}), ("strict", {"number": "x"}), ("strange", {}))
    chat = await perdure.chats.create(script, tools=[broken, refuses, strict, strange])
    assert (await chat.wait()).text == "done"
    found = await results(chat)
    assert all(part.is_error for part in found)
    assert found[0].result == "RuntimeError: out of paper"
    assert found[1].result == "Not on a Friday."
    assert "number: Input should be a valid integer" in str(found[2].result)
    assert "object" in str(found[3].result)


async def test_calls_of_one_step_run_side_by_side(perdure: Perdure) -> None:
    both = asyncio.Barrier(2)

    async def meet(name: str) -> str:
        await both.wait()
        return name

    chat = await perdure.chats.create(calls(("meet", {"name": "a"}), ("meet", {"name": "b"})), tools=[meet])
    await chat.wait()
    assert [part.result for part in await results(chat)] == ["a", "b"]


async def test_a_call_is_taken_up_once_by_all_readers_of_a_chat(perdure: Perdure) -> None:
    count = 0

    async def counted() -> int:
        nonlocal count
        count += 1
        return count

    chat = await perdure.chats.create(calls(("counted", {})), tools=[counted])
    await asyncio.gather(chat.wait(), chat.wait(), chat.wait())
    assert (count, [part.result for part in await results(chat)]) == (1, [1])


async def test_of_two_clients_one_is_heard(
    perdure: Perdure, another: AbstractAsyncContextManager[Perdure]
) -> None:
    both = asyncio.Barrier(2)

    async def mine() -> str:
        await both.wait()
        return "mine"

    async def theirs() -> str:
        await both.wait()
        return "theirs"

    async with another as other:
        script = calls(("who", {}), then="heard")
        first = await perdure.chats.create(script, tools=[Tool.of(mine, name="who")])
        second = other.chats.open(first.id, tools=[Tool.of(theirs, name="who")])
        answers = await asyncio.gather(first.wait(), second.wait())
    assert [answer.text for answer in answers] == ["heard", "heard"]
    assert [part.result for part in await results(first)] in (["mine"], ["theirs"])


async def test_a_chat_opened_again_has_its_tools_answered(
    perdure: Perdure, another: AbstractAsyncContextManager[Perdure]
) -> None:
    async def late() -> str:
        return "late, but here"

    chat = await perdure.chats.create(calls(("late", {})), tools=[late])
    # the first program reads nothing, and so answers nothing; the second one comes later
    async with another as other:
        opened = other.chats.open(chat.id, tools=[late])
        assert (await opened.wait()).text == "done"
        assert [part.result for part in await results(opened)] == ["late, but here"]


async def test_a_result_that_is_too_long_is_an_error_and_no_stuck_chat(perdure: Perdure) -> None:
    async def long() -> str:
        return "x" * 300_000

    async def short() -> str:
        return "short"

    chat = await perdure.chats.create(calls(("long", {}), ("short", {})), tools=[long, short])
    assert (await chat.wait()).text == "done"
    first, second = await results(chat)
    assert first.is_error
    assert "too long" in str(first.result)
    assert (second.result, second.is_error) == ("short", False)


async def test_a_result_that_the_server_refuses_is_an_error_and_no_stuck_chat(perdure: Perdure) -> None:
    async def huge() -> int:
        return 1 << 80

    chat = await perdure.chats.create(calls(("huge", {})), tools=[huge])
    assert (await chat.wait()).text == "done"
    (found,) = await results(chat)
    assert found.is_error
    assert "not accepted" in str(found.result)


async def test_a_result_whose_answer_is_lost_is_posted_again_and_counts_once(
    whole: Stack, perdure: Perdure, wire: Proxy
) -> None:
    budgets = iter([1, 1])
    assert whole.token
    async with Perdure(wire.url, whole.token) as shaken:

        async def once() -> str:
            wire.budget = lambda: next(budgets, 1 << 40)
            return "once"

        chat = await shaken.chats.create(calls(("once", {})), tools=[once])
        assert (await chat.wait()).text == "done"
    assert [part.result for part in await results(perdure.chats.open(chat.id))] == ["once"]


async def test_an_approver_decides_and_its_reason_is_told(perdure: Perdure) -> None:
    asked: list[str] = []

    def approver(call: PendingCall) -> Decision | bool:
        asked.append(call.tool_name)
        return Decision(approved=False, reason="Not now.") if len(asked) == 1 else True

    chat = await perdure.chats.create(
        calls(("current_time", {})), approval_required=["current_time"], approver=approver
    )
    await chat.wait()
    await chat.ask(calls(("current_time", {})))
    denied, allowed = await results(chat)
    assert denied.is_error
    assert "Not now." in str(denied.result)
    assert not allowed.is_error
    assert asked == ["current_time"] * 2


async def test_a_tool_of_this_program_runs_when_it_was_approved(perdure: Perdure) -> None:
    ran: list[str] = []

    async def mine(word: str) -> str:
        ran.append(word)
        return f"ran {word}"

    def approver(call: PendingCall) -> bool:
        return "yes" in call.args

    chat = await perdure.chats.create(
        calls(("mine", {"word": "yes"}), ("mine", {"word": "no"})),
        tools=[mine],
        approval_required=["mine"],
        approver=approver,
    )
    assert (await chat.wait()).text == "done"
    told = [part.result for part in await results(chat) if not part.is_error]
    assert (told, ran) == (["ran yes"], ["yes"])


async def test_an_approver_that_breaks_denies(perdure: Perdure) -> None:
    async def approver(call: PendingCall) -> bool:
        raise RuntimeError("nobody is at home")

    chat = await perdure.chats.create(
        calls(("current_time", {})), approval_required=["current_time"], approver=approver
    )
    assert (await chat.wait()).text == "done"
    (denied,) = await results(chat)
    assert denied.is_error
    assert "nobody is at home" not in str(denied.result)


async def test_calls_are_approved_and_denied_by_hand(perdure: Perdure) -> None:
    script = calls(("current_time", {}), ("current_time", {"timezone": "Europe/Oslo"}))
    chat = await perdure.chats.create(script, approval_required=["current_time"])
    async for event in chat.stream(until_rest=True):
        match event:
            case ActionRequiredEvent(action_required=pending) if len(pending.tool_calls) == 2:
                await chat.approve(pending.tool_calls[0].tool_call_id)
            case ActionRequiredEvent(action_required=pending):
                await chat.deny(pending.tool_calls[0].tool_call_id, reason="One clock is enough.")
            case _:
                pass
    assert (await chat.wait()).text == "done"
    denied, allowed = await results(chat)  # what is approved runs once the last is decided
    assert (denied.is_error, allowed.is_error) == (True, False)


async def test_an_answer_that_came_too_early_is_given_when_it_is_waited_for(perdure: Perdure) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    runs = 0

    async def slow() -> str:
        nonlocal runs
        runs += 1
        begun.set()
        await go_on.wait()
        return "slow"

    async def approver(call: PendingCall) -> bool:
        await begun.wait()
        asyncio.get_running_loop().call_soon(go_on.set)  # both answers are on their way at once
        return True

    for _ in range(5):
        chat = await perdure.chats.create(
            calls(("slow", {}), ("current_time", {}), ("current_time", {"timezone": "Europe/Oslo"})),
            tools=[slow],
            approval_required=["current_time"],
            approver=approver,
        )
        assert (await chat.wait()).text == "done"
        assert [part.is_error for part in await results(chat)] == [False] * 3
        begun.clear()
        go_on.clear()
    assert runs == 5
