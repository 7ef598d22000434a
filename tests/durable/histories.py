"""What Temporal keeps of a chat, and looking for words in it."""

import asyncio
from collections.abc import Iterable
from typing import Any, cast
from uuid import UUID

from google.protobuf.message import Message
from temporalio.api.history.v1 import History
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus, WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter

from cli.stack import Stack
from models.ids import chat_workflow_id


async def connect(stack: Stack) -> Client:
    return await Client.connect(stack.temporal_address, data_converter=pydantic_data_converter)


async def current_run(client: Client, chat: str) -> WorkflowExecution:
    """The run of a chat that is open, or the last one there was."""
    return await client.get_workflow_handle(chat_workflow_id(UUID(chat))).describe()


async def described(client: Client, chat: str) -> DescribeWorkflowExecutionResponse:
    """All that Temporal tells of that run: memo, search attributes, activities in flight with their last
    failure and heartbeat."""
    return cast(DescribeWorkflowExecutionResponse, cast(Any, await current_run(client, chat)).raw_description)


def listed_as(run: WorkflowExecution) -> Message:
    """What Temporal shows of a run in a list."""
    return cast(Any, run).raw_info


async def completed(client: Client, chat: str, seconds: float = 20) -> str:
    """Wait until a chat's run has ended for lack of work.

    Returns:
        The id of that run.
    """
    async with asyncio.timeout(seconds):
        while True:
            run = await current_run(client, chat)
            if run.status is WorkflowExecutionStatus.COMPLETED:
                return run.run_id
            await client.get_workflow_handle(run.id, run_id=run.run_id).result()


async def runs(client: Client, chat: str, seconds: float = 20) -> list[WorkflowExecution]:
    """All runs of a chat, oldest first. Temporal's list lags behind: waits until it has the current one."""
    async with asyncio.timeout(seconds):
        while True:
            current = await current_run(client, chat)
            query = f"WorkflowId = '{current.id}'"
            listed = [run async for run in client.list_workflows(query)]
            last = {run.run_id: run.status for run in listed}.get(current.run_id)
            if (
                last is current.status
                and sum(run.status is WorkflowExecutionStatus.RUNNING for run in listed) <= 1
            ):
                return sorted(listed, key=lambda run: run.start_time)
            await asyncio.sleep(0.05)


async def history(client: Client, run: WorkflowExecution) -> WorkflowHistory:
    return await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()


def words_in(message: Message, words: Iterable[str]) -> set[str]:
    """Which of these words are anywhere in a message: in its texts, names, or the data of its payloads,
    which stand in the binary form as they are. Words must be ASCII, because JSON escapes the rest."""
    whole = message.SerializeToString()
    return {word for word in words if word.encode("ascii") in whole}


def words_in_history(kept: WorkflowHistory, words: Iterable[str]) -> set[str]:
    return words_in(History(events=kept.events), words)
