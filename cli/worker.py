"""A worker put together: connections, activities with what they need, Temporal's worker around them."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.attachments import Attachments
from activities.compaction import Compactions
from activities.listening import Patience
from activities.live import LiveView
from activities.model_call import ModelCalls
from activities.naming import Naming
from activities.provider_check import ProviderChecks
from activities.providers.directory import ProviderDirectory
from activities.providers.pool import ClientPool
from activities.providers.registry import FACTORIES
from activities.reticence import Reticence
from activities.stops import StopListener
from activities.tool_call import ToolCalls
from activities.tool_files import ToolFiles
from activities.tools.builtin import builtin_tools
from activities.tools.registry import ToolRegistry
from activities.tools.tool import Tool
from activities.transitions import Transitions
from cli.workspaces import open_workspaces
from models.failures import RetryLimits
from runtime.blobs import open_blobs
from runtime.configuration import Configuration
from runtime.configuration.keys import open_keys
from runtime.database import open_engine
from runtime.redis import open_blocking_redis, open_redis
from runtime.settings import Settings
from workflows.chat.workflow import ChatWorkflow
from workflows.providers.workflow import ProviderCheckWorkflow
from workflows.titles.workflow import TitleWorkflow

_SILENCE_SECONDS = 30.0
"""A channel is subscribed anew after this long without a message: its connection may be half dead."""


@asynccontextmanager
async def running_worker(
    settings: Settings, client: Client, more_tools: Iterable[Tool[Any]] = ()
) -> AsyncGenerator[Worker]:
    """A worker that polls until the block ends; then running steps get the grace period.

    Args:
        more_tools: offered beside the built-in ones. All workers of a task queue must have the same.
    """
    async with AsyncExitStack() as stack:
        engine = open_engine(settings.database_url, settings.database_pool_size)
        stack.push_async_callback(engine.dispose)
        redis = open_redis(settings.redis_url)
        stack.push_async_callback(redis.aclose)
        ears = open_blocking_redis(settings.redis_url, block_seconds=_SILENCE_SECONDS)
        stack.push_async_callback(ears.aclose)
        news = open_blocking_redis(settings.redis_url, block_seconds=_SILENCE_SECONDS)
        stack.push_async_callback(news.aclose)
        configuration = Configuration(engine, redis, news)
        clients = ClientPool(FACTORIES)
        stack.push_async_callback(clients.aclose)
        directory = ProviderDirectory(configuration, open_keys(settings), clients)

        live, stops, tools = (
            LiveView(redis),
            StopListener(ears),
            ToolRegistry([*builtin_tools(await open_workspaces(settings)), *more_tools]),
        )
        stack.push_async_callback(live.drain)
        for listening in (stops.run, configuration.run):
            stack.callback(asyncio.create_task(listening()).cancel)

        patience = Patience(settings.first_part_timeout_seconds, settings.silence_timeout_seconds)
        blobs = open_blobs(settings.blobs_url, engine)
        attachments = Attachments(engine, blobs)
        rows = Transitions(engine, live)
        models = ModelCalls(
            engine,
            live,
            stops,
            tools,
            directory,
            attachments,
            patience,
            RetryLimits(settings.max_model_attempts, settings.retry_total_seconds),
        )
        compactions = Compactions(
            engine, live, stops, tools, directory, attachments, patience, settings.compaction_timeout_seconds
        )
        names = Naming(engine, live, directory, patience)
        worker = Worker(
            client,
            task_queue=settings.task_queue,
            workflows=[ChatWorkflow, TitleWorkflow, ProviderCheckWorkflow],
            activities=[
                rows.commit_transition,
                rows.commit_results,
                rows.read_state,
                models.call_model,
                compactions.compact,
                names.name_chat,
                names.label_turn,
                names.propose_title,
                ProviderChecks(directory, redis).check_provider,
                ToolCalls(engine, live, stops, tools, ToolFiles(engine, blobs)).run_tool,
            ],
            interceptors=[Reticence()],
            workflow_runner=workflow_runner(sandbox=settings.workflow_sandbox),
            max_concurrent_activities=settings.max_concurrent_steps,
            max_cached_workflows=2000,
            graceful_shutdown_timeout=timedelta(seconds=settings.graceful_shutdown_seconds),
            # Beats carry liveness; interrupts wait for them only where worker commands are off.
            max_heartbeat_throttle_interval=timedelta(milliseconds=750),
            # After a kill, the first command of a cached chat waits for this.
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=2),
        )
        async with worker:
            yield worker


def workflow_runner(*, sandbox: bool) -> WorkflowRunner:
    """What runs workflow code: bare, or in Temporal's sandbox without loading our own models anew."""
    if not sandbox:
        return UnsandboxedWorkflowRunner()
    ours = SandboxRestrictions.default.with_passthrough_modules("models", "activities.contract")
    return SandboxedWorkflowRunner(restrictions=ours)
