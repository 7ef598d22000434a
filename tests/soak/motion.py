"""What is left in motion when all chats rest, and what Temporal has noted of how they came there."""

import asyncio
from collections import Counter
from typing import Any

from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus

from cli.stack import Stack
from tests.durable.histories import connect, history
from tests.durable.rows import Rows

_ENDS_WITHIN_SECONDS = 40.0
_GOOD_ENDS = (WorkflowExecutionStatus.COMPLETED, WorkflowExecutionStatus.CONTINUED_AS_NEW)
_HARMLESS = {
    # an event arrived while the worker was answering: it is asked again
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
    # the worker went away, or the server did
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_STICKY_TASK_QUEUE,
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FAILOVER_CLOSE_COMMAND,
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND,
}


async def judge_motion(stack: Stack, rows: Rows, counts: Counter[str]) -> list[str]:
    """Contradictions among all chats: rows that say a chat moves, drafts nobody answered for, workflows that
    do not end, that ended badly, or whose code failed."""
    client = await connect(stack)
    found = [f"chat {row.id} is {row.status}" for row in await _in_motion(rows)]
    runs = await _runs(client)
    found += [
        f"{run.id} has a run {run.run_id} that is {run.status.name if run.status else 'nothing'}"
        for run in runs
        if run.status not in _GOOD_ENDS
    ]
    for run in runs:
        found += [f"{run.id}: {failure}" for failure in await _failed_tasks(client, run, counts)]
    found += [f"draft {row.id} of chat {row.chat_id} is pending" for row in await _pending(rows)]
    counts["workflow runs"] += len(runs)
    return found


async def _in_motion(rows: Rows) -> list[Any]:
    return await rows.ask("SELECT id, status FROM chats WHERE status NOT IN ('waiting', 'error')")


async def _pending(rows: Rows) -> list[Any]:
    """The sweeper withdraws them, but only after a while; those of the last seconds have had it by now."""
    return await rows.ask("SELECT id, chat_id FROM drafts WHERE state = 'pending'")


async def _runs(client: Client) -> list[WorkflowExecution]:
    """All runs there were, once none is open any more or the time for that is over."""
    deadline = asyncio.get_running_loop().time() + _ENDS_WITHIN_SECONDS
    while True:
        runs = [run async for run in client.list_workflows("")]
        late = asyncio.get_running_loop().time() > deadline
        if late or all(run.status is not WorkflowExecutionStatus.RUNNING for run in runs):
            return runs
        await asyncio.sleep(0.5)


async def _failed_tasks(client: Client, run: WorkflowExecution, counts: Counter[str]) -> list[str]:
    found: list[str] = []
    for event in (await history(client, run)).events:
        counts["workflow events"] += 1
        if event.event_type != EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
            continue
        attributes = event.workflow_task_failed_event_attributes
        cause = WorkflowTaskFailedCause.Name(attributes.cause).removeprefix("WORKFLOW_TASK_FAILED_CAUSE_")
        counts[f"workflow task failed: {cause}"] += 1
        if attributes.cause not in _HARMLESS:
            found.append(f"workflow task failed, {cause}: {attributes.failure.message}")
    return found
