"""What is recorded: the ways a chat's workflow can go, each ended by its idle time.

Everything a user or the model says begins with one of `WORDS`, so that it can be told whether any of it has
got into a history.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from temporalio.client import Client

from activities.providers.demo import DemoModel, script_block
from cli.stack import Stack
from tests.durable.caller import Caller
from tests.durable.histories import completed
from workflows.providers.workflow import ProviderCheckWorkflow
from workflows.titles.workflow import TitleWorkflow

WORDS = ("marigold", "periwinkle", "foxglove", "larkspur")
ANSWER = " ".join(["periwinkle"] * 8)


@dataclass(frozen=True, slots=True)
class Scene:
    """Who plays: a client, the model, and the processes."""

    caller: Caller
    model: DemoModel
    stack: Stack
    temporal: Client

    async def ask(self, *steps: dict[str, Any]) -> str:
        return await self.caller.create(said(*steps))

    async def held(self, chat_hold: str) -> str:
        """A chat whose answer stands still in the middle."""
        chat = await self.ask(held_step(chat_hold))
        await self.model.reached(chat_hold)
        return chat

    async def awaited_call(self, chat: str) -> str:
        """The call a chat waits for an action on."""
        (row,) = await self.caller.rows.until(
            "SELECT open_calls FROM chats WHERE id = :chat AND status = 'requires_action'", chat=chat
        )
        return row.open_calls[0]["id"]

    async def labelled(self, chat: str, turn: int = 1) -> None:
        await self.caller.rows.until(
            "SELECT 1 FROM chats WHERE id = :chat AND turn = :turn AND last_turn_summary IS NOT NULL",
            chat=chat,
            turn=turn,
        )

    async def rested(self, chat: str, turns: int = 1) -> None:
        await self.caller.rows.until(
            "SELECT 1 FROM chats WHERE id = :chat AND turn >= :turns AND status IN ('waiting', 'error')",
            chat=chat,
            turns=turns,
        )


Scenario = Callable[[Scene], Awaitable[str]]


def said(*steps: dict[str, Any]) -> str:
    """A message with the model's answer in it. Never the same twice: equal ones would share their faults."""
    return f"{script_block(*steps)} marigold {uuid4()}"


def held_step(hold: str) -> dict[str, Any]:
    return {"text": ANSWER, "pieces": 8, "hold": {"name": hold, "after_pieces": 3}}


def clock(zone: str) -> dict[str, Any]:
    return {"name": "current_time", "input": {"timezone": zone}}


FULL = {"input_tokens": 150_000, "output_tokens": 5}
"""Usage by which a context is full."""

THEIR_TOOL = {"name": "their_tool"}
THEIR_CALL: dict[str, Any] = {"name": "their_tool", "input": {}}


async def plain_turn(scene: Scene) -> str:
    return await scene.ask({"thinking": "larkspur", "text": ANSWER})


async def tool(scene: Scene) -> str:
    return await scene.ask({"text": ANSWER, "tools": [clock("UTC")]}, {"text": ANSWER})


async def two_tools_at_once(scene: Scene) -> str:
    tools = [clock("foxglove/foxglove"), clock("Europe/Oslo")]
    return await scene.ask({"text": ANSWER, "tools": tools}, {"text": ANSWER})


async def interrupted_in_mid_stream(scene: Scene) -> str:
    chat = await scene.held("interrupted")
    assert (await scene.caller.interrupt(chat)).status_code == 200
    return chat


async def interrupted_by_a_message(scene: Scene) -> str:
    chat = await scene.held("by-message")
    await scene.caller.send(chat, said({"text": ANSWER}), busy="interrupt")
    return chat


async def interrupted_with_a_queued_message(scene: Scene) -> str:
    chat = await scene.held("queued")
    await scene.caller.send(chat, said({"text": ANSWER}))
    assert (await scene.caller.interrupt(chat)).status_code == 200
    return chat


async def queued_and_promoted(scene: Scene) -> str:
    chat = await scene.held("promoted")
    for _ in range(2):
        await scene.caller.send(chat, said({"text": ANSWER}))
    scene.model.release("promoted")
    return chat


async def edited_in_mid_stream(scene: Scene) -> str:
    chat = await scene.held("edited")
    await scene.caller.send(chat, said({"text": ANSWER}))
    message = await scene.caller.first_message(chat)
    assert (await scene.caller.edit(chat, message, said({"text": ANSWER}))).status_code == 200
    return chat


async def edited_at_rest(scene: Scene) -> str:
    chat = await scene.ask({"text": ANSWER, "tools": [clock("UTC")]}, {"text": ANSWER})
    await scene.rested(chat)
    message = await scene.caller.first_message(chat)
    assert (await scene.caller.edit(chat, message, said({"text": ANSWER}))).status_code == 200
    await scene.rested(chat, turns=2)
    return chat


async def promoted_from_the_queue(scene: Scene) -> str:
    chat = await scene.held("chosen")
    first, _, last = [
        (await scene.caller.send(chat, said({"text": ANSWER})))["queued_message"]["id"] for _ in range(3)
    ]
    assert (await scene.caller.delete_queued(chat, first)).status_code == 204
    assert (await scene.caller.promote(chat, last)).status_code == 202
    await scene.rested(chat, turns=3)
    return chat


async def client_tool_edited(scene: Scene) -> str:
    step = {"text": ANSWER, "tools": [THEIR_CALL]}
    chat = await scene.caller.create(said(step, {"text": ANSWER}), unsafe_dynamic_tools=[THEIR_TOOL])
    await scene.awaited_call(chat)
    message = await scene.caller.first_message(chat)
    assert (await scene.caller.edit(chat, message, said({"text": ANSWER}))).status_code == 200
    await scene.rested(chat, turns=2)
    return chat


async def reconciled(scene: Scene) -> str:
    chat = await scene.ask({"text": ANSWER})
    await scene.rested(chat)
    await scene.caller.rows.change("UPDATE chats SET queued = 1 WHERE id = :chat", chat=chat)
    assert (await scene.caller.ask(chat, "reconcile-invalid")).status_code == 200
    return chat


async def steered(scene: Scene) -> str:
    held = {**held_step("steered"), "tools": [clock("UTC")]}
    chat = await scene.ask(held, {"text": ANSWER})
    await scene.model.reached("steered")
    await scene.caller.send(chat, said({"text": ANSWER}), busy="steer")
    scene.model.release("steered")
    return chat


async def client_tool_answered(scene: Scene) -> str:
    step = {"text": ANSWER, "tools": [clock("UTC"), THEIR_CALL]}
    chat = await scene.caller.create(said(step, {"text": ANSWER}), unsafe_dynamic_tools=[THEIR_TOOL])
    answer = {"results": [{"tool_call_id": await scene.awaited_call(chat), "output": "foxglove"}]}
    assert (await scene.caller.post(chat, "tool-results", answer)).status_code == 204
    return chat


async def client_tool_interrupted(scene: Scene) -> str:
    step = {"text": ANSWER, "tools": [THEIR_CALL]}
    chat = await scene.caller.create(said(step, {"text": ANSWER}), unsafe_dynamic_tools=[THEIR_TOOL])
    await scene.awaited_call(chat)
    assert (await scene.caller.interrupt(chat)).status_code == 200
    return chat


async def approved(scene: Scene) -> str:
    step = {"text": ANSWER, "tools": [clock("UTC")]}
    chat = await scene.caller.create(said(step, {"text": ANSWER}), approval_required_tools=["current_time"])
    decision = {"tool_call_id": await scene.awaited_call(chat), "decision": "approve", "reason": "larkspur"}
    assert (await scene.caller.post(chat, "approvals", {"approvals": [decision]})).status_code == 204
    return chat


async def approved_one_by_one(scene: Scene) -> str:
    step = {"text": ANSWER, "tools": [clock("UTC"), THEIR_CALL]}
    guarded = {
        "approval_required_tools": ["current_time", "their_tool"],
        "unsafe_dynamic_tools": [THEIR_TOOL],
    }
    chat = await scene.caller.create(said(step, {"text": ANSWER}), **guarded)
    ours = await scene.awaited_call(chat)
    (row,) = await scene.caller.rows.ask("SELECT open_calls FROM chats WHERE id = :chat", chat=chat)
    theirs = row.open_calls[1]["id"]
    for call_id in (ours, theirs):
        decision = {"tool_call_id": call_id, "decision": "approve"}
        assert (await scene.caller.post(chat, "approvals", {"approvals": [decision]})).status_code == 204
    await scene.caller.rows.until(
        "SELECT 1 FROM chats WHERE id = :chat AND status = 'requires_action'"
        " AND json_array_length(open_calls::json) = 1",
        chat=chat,
    )
    results = {"results": [{"tool_call_id": theirs, "output": "larkspur"}]}
    assert (await scene.caller.post(chat, "tool-results", results)).status_code == 204
    return chat


async def transient_failure(scene: Scene) -> str:
    busy = {"kind": "status", "status": 529, "message": "foxglove"}
    return await scene.ask({"text": ANSWER, "fault": [busy]})


async def interrupted_before_a_retry(scene: Scene) -> str:
    later = {"kind": "status", "status": 529, "message": "foxglove", "headers": {"retry-after": "30"}}
    chat = await scene.ask({"text": ANSWER, "fault": [later]})
    await scene.caller.rows.until(
        "SELECT 1 FROM chats WHERE id = :chat AND retry_state IS NOT NULL", chat=chat
    )
    assert (await scene.caller.interrupt(chat)).status_code == 200
    return chat


async def failure_and_a_new_message(scene: Scene) -> str:
    refused = {"kind": "status", "status": 400, "message": "foxglove"}
    chat = await scene.ask({"text": ANSWER, "fault": [refused]})
    await scene.rested(chat)
    await scene.caller.send(chat, said({"text": ANSWER}))
    return chat


async def refused_commands(scene: Scene) -> str:
    chat = await scene.held("refused")
    assert (await scene.caller.set_archived(chat, True)).status_code == 409
    scene.model.release("refused")
    await scene.rested(chat)
    assert (await scene.caller.interrupt(chat)).status_code == 409
    return chat


async def archived_and_unarchived(scene: Scene) -> str:
    chat = await scene.ask({"text": ANSWER})
    await scene.rested(chat)
    for archived in (True, False):
        assert (await scene.caller.set_archived(chat, archived)).status_code == 204
    return chat


async def idle_and_a_new_message(scene: Scene) -> str:
    chat = await scene.ask({"text": ANSWER})
    await scene.rested(chat)
    await completed(scene.temporal, chat)
    await scene.caller.send(chat, said({"text": ANSWER}))
    return chat


async def named_and_labelled(scene: Scene) -> str:
    name = {"name_chat": {"tools": [{"name": "name_chat", "input": {"title": "marigold larkspur"}}]}}
    label = {"label_turn": {"tools": [{"name": "label_turn", "input": {"label": "foxglove periwinkle"}}]}}
    chat = await scene.caller.create(f"{script_block({'text': ANSWER}, aside={**name, **label})} marigold")
    await scene.labelled(chat)
    await scene.caller.send(chat, f"{script_block({'text': ANSWER}, aside=label)} marigold again")
    await scene.labelled(chat, turn=2)
    return chat


async def continued_as_new(scene: Scene) -> str:
    chat = await scene.held("continued")
    for _ in range(4):
        await scene.caller.send(chat, said({"text": ANSWER}))
    scene.model.release("continued")
    await scene.rested(chat, turns=5)
    return chat


async def compacted_behind_a_full_step(scene: Scene) -> str:
    return await scene.ask({"text": ANSWER, "tools": [clock("UTC")], "usage": FULL}, {"text": ANSWER})


async def compacted_on_request(scene: Scene) -> str:
    chat = await scene.ask({"text": ANSWER})
    await scene.rested(chat)
    assert (await scene.caller.ask(chat, "compact")).status_code == 200
    await scene.rested(chat)
    await scene.caller.send(chat, said({"text": ANSWER}))
    await scene.rested(chat, turns=2)
    scene.model.order_fault({"kind": "status", "status": 400, "message": "foxglove"})
    assert (await scene.caller.ask(chat, "compact")).status_code == 200
    await scene.caller.rows.until("SELECT 1 FROM chats WHERE id = :chat AND status = 'error'", chat=chat)
    return chat


async def worker_killed_and_the_turn_stopped(scene: Scene) -> str:
    mute = {"kind": "stall", "name": "stopped-again", "after_pieces": 0}
    shown = {"kind": "stall", "name": "stopped", "after_pieces": 3}
    chat = await scene.ask({"text": ANSWER, "pieces": 8, "fault": [shown, mute]})
    await scene.model.reached("stopped")
    await scene.stack.kill("worker")
    stopping = asyncio.create_task(scene.caller.insist_on_interrupt(chat))
    await scene.stack.start("worker")
    assert (await stopping).status_code == 200
    return chat


async def worker_killed_in_mid_stream(scene: Scene) -> str:
    chat = await scene.held("killed")
    await scene.stack.kill("worker")
    scene.model.release("killed")
    await scene.stack.start("worker")
    return chat


SCENARIOS: tuple[Scenario, ...] = (
    plain_turn,
    tool,
    two_tools_at_once,
    interrupted_in_mid_stream,
    interrupted_by_a_message,
    interrupted_with_a_queued_message,
    queued_and_promoted,
    edited_in_mid_stream,
    edited_at_rest,
    promoted_from_the_queue,
    client_tool_edited,
    reconciled,
    steered,
    client_tool_answered,
    client_tool_interrupted,
    approved,
    approved_one_by_one,
    transient_failure,
    interrupted_before_a_retry,
    failure_and_a_new_message,
    refused_commands,
    archived_and_unarchived,
    idle_and_a_new_message,
    compacted_behind_a_full_step,
    compacted_on_request,
    worker_killed_in_mid_stream,
    worker_killed_and_the_turn_stopped,
)
SHORT_RUNS: tuple[Scenario, ...] = (continued_as_new,)
"""Recorded with runs of a few events."""
NAMED: tuple[Scenario, ...] = (named_and_labelled,)
"""Recorded with a model that finds titles and labels."""


Aside = Callable[[Scene], Awaitable[None]]


async def title_proposed(scene: Scene) -> None:
    title: dict[str, Any] = {"tools": [{"name": "name_chat", "input": {"title": "foxglove larkspur"}}]}
    chat = await scene.caller.create(f"{script_block({'text': ANSWER}, aside={'name_chat': title})} marigold")
    await scene.rested(chat)
    answer = await scene.caller.ask(chat, "title/propose")
    assert answer.json() == {"title": "foxglove larkspur"}


async def provider_checked(scene: Scene) -> None:
    (provider,) = await scene.caller.rows.ask("SELECT ai_provider_id AS id FROM model_configs LIMIT 1")
    # a refusal, because what providers say of it must not be kept either
    scene.model.order_fault({"kind": "status", "status": 401, "message": "periwinkle"})
    answer = await scene.caller.v2.post(f"/ai-providers/{provider.id}/check", json={})
    assert answer.json()["error"]["detail"] == "periwinkle", answer.text


ASIDES: dict[Aside, type] = {title_proposed: TitleWorkflow, provider_checked: ProviderCheckWorkflow}
"""Short workflows beside chats, and what makes each run."""
