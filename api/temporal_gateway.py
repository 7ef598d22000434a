"""The only holder of a Temporal client in the API: commands go out through here, and come back answered."""

import asyncio
import contextlib
import time
from datetime import timedelta
from typing import Any, Literal, TypeVar, cast
from uuid import UUID, uuid4

import structlog
from pydantic import BaseModel
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import (
    Priority,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from models.ids import chat_workflow_id, check_workflow_id, title_workflow_id
from models.provider_check import ProviderCheck, ProviderChecked
from models.store.chats import ChatRecord
from models.turns import ChatStart, Proposed, Receipt, TitleProposal
from runtime import metrics

R = TypeVar("R", bound=BaseModel)

Command = Literal[
    "send_message",
    "edit_message",
    "delete_queued",
    "promote_queued",
    "answer_calls",
    "interrupt",
    "compact",
    "clear",
    "reconcile_invalid",
    "set_archived",
]

_WORKFLOW = "ChatWorkflow"
_TITLE_WORKFLOW = "TitleWorkflow"
_CHECK_WORKFLOW = "ProviderCheckWorkflow"
_ASIDE_SECONDS = 40.0
"""Longer than the worker's own limit for the model, which is the one that should end it."""
_START_TIMEOUT_SECONDS = 2.0
_PAUSE_SECONDS = 0.1
_POLLER_AGE_SECONDS = 75
"""A worker asks for work at least every 60 s; one that has not for longer is gone."""

_OWNER = SearchAttributeKey.for_keyword("PerdureOwner")
_ORGANIZATION = SearchAttributeKey.for_keyword("PerdureOrganization")
_STATUS = SearchAttributeKey.for_keyword("PerdureStatus")
_MODEL = SearchAttributeKey.for_keyword("PerdureModel")
_ROOT_CHAT = SearchAttributeKey.for_keyword("PerdureRootChat")

log = structlog.get_logger("temporal_gateway")


class Unavailable(Exception):
    """Temporal is away, no worker takes the command, or nobody knows what became of it."""


class CommandRejected(Exception):
    """The chat's workflow refused a command. Nothing was changed.

    Args:
        kind: `TransitionNotAllowed` or `InvalidState`.
        reason: Why, for people.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


class TemporalGateway:
    """Starts chats and sends them commands.

    Args:
        client: A lazy client, so that the API works while Temporal is away.
        command_timeout_seconds: How long a command may wait for a worker.
        idle_seconds: Given to workflows: rest this long, then complete.
        events_per_run: Given to workflows: continue as new beyond a history this long.
        action_seconds: Given to workflows: how long a client or a person may take to act.
        titles: Given to workflows: a model finds the titles of new chats.
        labels: Given to workflows: a model labels turns that have ended.
    """

    def __init__(
        self,
        client: Client,
        *,
        task_queue: str,
        command_timeout_seconds: float,
        idle_seconds: float,
        events_per_run: int,
        action_seconds: float = 300.0,
        titles: bool = False,
        labels: bool = False,
    ) -> None:
        self._client = client
        self._task_queue = task_queue
        self._command_timeout_seconds = command_timeout_seconds
        self._idle_seconds = idle_seconds
        self._events_per_run = events_per_run
        self._action_seconds = action_seconds
        self._titles = titles
        self._labels = labels

    async def start_chat(self, chat: ChatRecord) -> None:
        """Make sure that a chat's workflow runs; a running one is left alone.

        Raises:
            Unavailable: It could not be started.
        """
        try:
            async with asyncio.timeout(_START_TIMEOUT_SECONDS):
                await self._client.start_workflow(
                    _WORKFLOW,
                    self._start(chat),
                    **self._start_options(chat),
                    rpc_timeout=timedelta(seconds=_START_TIMEOUT_SECONDS),
                )
        except WorkflowAlreadyStartedError:
            return
        except (RPCError, RuntimeError, TimeoutError) as error:
            _reraise_if_cancelled()
            raise Unavailable(f"the workflow could not be started: {error}") from error

    async def command(
        self, chat: ChatRecord, name: Command, argument: BaseModel | None = None, *, update_id: str
    ) -> Receipt:
        """Send a command to a chat's workflow, starting that if need be, and wait for the answer.

        What fails within the time is tried again under the same id, which makes the repetition harmless.

        Raises:
            CommandRejected: The chat is in no state for it.
            Unavailable: There is no answer; the command may or may not be carried out yet.
        """
        began = time.perf_counter()
        outcome = "unavailable"
        try:
            receipt = await self._within_timeout(chat, name, argument, update_id)
            outcome = receipt.verdict.value
            return receipt
        except CommandRejected:
            outcome = "rejected"
            raise
        finally:
            metrics.COMMANDS.labels(name, outcome).inc()
            metrics.COMMAND_SECONDS.labels(name).observe(time.perf_counter() - began)

    async def end_chat(self, chat_id: UUID, why: str) -> None:
        """End a chat's workflow where it stands, if one runs. For chats that are deleted.

        Raises:
            Unavailable: Nobody knows whether it has ended.
        """
        handle = self._client.get_workflow_handle(chat_workflow_id(chat_id))
        try:
            await handle.terminate(reason=why, rpc_timeout=timedelta(seconds=_START_TIMEOUT_SECONDS))
        except (RPCError, RuntimeError) as error:
            _reraise_if_cancelled()
            if isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND:
                return
            raise Unavailable(str(error)) from error

    async def propose_title(self, chat: ChatRecord) -> Proposed:
        """Have a title proposed, and wait for it. Cancelling the wait gives the work up.

        Raises:
            Unavailable: Temporal is away, or no worker has done it.
        """
        return await self._answer_of(
            _TITLE_WORKFLOW,
            TitleProposal(chat_id=chat.id),
            title_workflow_id(uuid4()),
            Proposed,
            summary=f"Title with {chat.model}",
            owner_id=chat.owner_id,
        )

    async def check_provider(self, check: ProviderCheck) -> ProviderChecked:
        """Have a provider checked, and wait for what comes of it. Cancelling the wait gives the work up.

        Raises:
            Unavailable: Temporal is away, or no worker has done it.
        """
        return await self._answer_of(
            _CHECK_WORKFLOW,
            check,
            check_workflow_id(check.id),
            ProviderChecked,
            summary=f"Check of {check.model}",
            owner_id=check.user_id,
        )

    async def _answer_of(
        self,
        workflow: str,
        argument: BaseModel,
        workflow_id: str,
        result_type: type[R],
        *,
        summary: str,
        owner_id: UUID,
    ) -> R:
        """Run a short workflow and wait for its result."""
        handle: Any = None
        try:
            handle = await self._client.start_workflow(
                workflow,
                argument,
                id=workflow_id,
                task_queue=self._task_queue,
                execution_timeout=timedelta(seconds=_ASIDE_SECONDS),
                static_summary=summary,
                priority=Priority(fairness_key=str(owner_id)),
                result_type=result_type,
                rpc_timeout=timedelta(seconds=_START_TIMEOUT_SECONDS),
            )
            async with asyncio.timeout(_ASIDE_SECONDS):
                return await handle.result()
        except asyncio.CancelledError:
            await self._give_up(handle)
            raise
        except (RPCError, RuntimeError, TimeoutError, WorkflowFailureError) as error:
            if _is_cancelled():
                await self._give_up(handle)
                raise asyncio.CancelledError from error
            raise Unavailable(f"{workflow} has given no answer: {type(error).__name__}") from error

    async def _give_up(self, handle: Any) -> None:
        if handle is not None:
            with contextlib.suppress(RPCError, RuntimeError):
                await handle.cancel(rpc_timeout=timedelta(seconds=_START_TIMEOUT_SECONDS))

    async def ping(self) -> None:
        """Ask the server whether it is there.

        Raises:
            Unavailable: It is not.
        """
        await self._describe_task_queue()

    async def has_worker(self) -> bool:
        """Whether a worker takes chats from the task queue.

        Raises:
            Unavailable: The server does not say.
        """
        pollers = (await self._describe_task_queue()).pollers
        oldest = time.time() - _POLLER_AGE_SECONDS
        return any(poller.last_access_time.ToSeconds() > oldest for poller in pollers)

    async def _within_timeout(
        self, chat: ChatRecord, name: Command, argument: BaseModel | None, update_id: str
    ) -> Receipt:
        deadline = time.monotonic() + self._command_timeout_seconds
        pause = _PAUSE_SECONDS
        while True:
            remaining = deadline - time.monotonic()
            try:
                async with asyncio.timeout(remaining):
                    return await self._update(chat, name, argument, update_id, remaining)
            except (RPCError, RuntimeError, TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
                # the SDK turns the cancellation of this task into an error like any other
                _reraise_if_cancelled()
                if time.monotonic() + pause >= deadline:
                    log.warning("command without answer", command=name, error=str(error))
                    raise Unavailable(str(error)) from error
            except WorkflowUpdateFailedError as error:
                _raise_if_rejected(error)
                if time.monotonic() + pause >= deadline:
                    log.error("command failed", command=name, error=str(error.cause))
                    raise Unavailable(str(error.cause)) from error
            await asyncio.sleep(pause)
            pause *= 2

    async def _update(
        self, chat: ChatRecord, name: Command, argument: BaseModel | None, update_id: str, seconds: float
    ) -> Receipt:
        start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
            _WORKFLOW, self._start(chat), **self._start_options(chat)
        )
        # the client tells a failure here as well, and complains where nobody listens
        cast(Any, start)._workflow_handle.add_done_callback(_heard)
        client = cast(Any, self._client)  # pyright cannot tell the overloads of this method apart
        return await client.execute_update_with_start_workflow(
            name,
            args=[] if argument is None else [argument],
            start_workflow_operation=start,
            id=update_id,
            result_type=Receipt,
            rpc_timeout=timedelta(seconds=seconds),
        )

    def _start(self, chat: ChatRecord) -> ChatStart:
        return ChatStart(
            chat_id=chat.id,
            state=chat.state,
            idle_seconds=self._idle_seconds,
            events_per_run=self._events_per_run,
            action_seconds=self._action_seconds,
            titles=self._titles,
            labels=self._labels,
        )

    def _start_options(self, chat: ChatRecord) -> dict[str, Any]:
        """Ids and names of models only: what is here can be read by everybody who operates Temporal."""
        return {
            "id": chat_workflow_id(chat.id),
            "task_queue": self._task_queue,
            "id_conflict_policy": WorkflowIDConflictPolicy.USE_EXISTING,
            "id_reuse_policy": WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            "static_summary": f"Chat with {chat.model}",
            "priority": Priority(fairness_key=str(chat.owner_id)),  # activities inherit it
            "search_attributes": TypedSearchAttributes(
                [
                    SearchAttributePair(_OWNER, str(chat.owner_id)),
                    SearchAttributePair(_ORGANIZATION, str(chat.organization_id)),
                    SearchAttributePair(_STATUS, chat.state.operator_status),
                    SearchAttributePair(_MODEL, chat.model),
                    SearchAttributePair(_ROOT_CHAT, str(chat.id)),
                ]
            ),
        }

    async def _describe_task_queue(self) -> Any:
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=self._task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        try:
            return await self._client.workflow_service.describe_task_queue(
                request, timeout=timedelta(seconds=1)
            )
        except (RPCError, RuntimeError) as error:
            _reraise_if_cancelled()
            raise Unavailable(str(error)) from error


def _heard(start: asyncio.Future[Any]) -> None:
    """Take note of how starting a workflow ended; the update that goes with it says the same."""
    if not start.cancelled():
        start.exception()


def _raise_if_rejected(error: WorkflowUpdateFailedError) -> None:
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type in ("TransitionNotAllowed", "InvalidState"):
        raise CommandRejected(cause.type, cause.message) from error


def _reraise_if_cancelled() -> None:
    if _is_cancelled():
        raise asyncio.CancelledError


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
