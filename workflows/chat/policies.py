"""How each activity is run: timeouts, heartbeats, retries."""

from datetime import timedelta

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType, ActivityConfig, LocalActivityConfig

from models.chat_state import ToolCallRef

ROW_WRITE: LocalActivityConfig = {
    "start_to_close_timeout": timedelta(seconds=10),
    # A database that is away comes back: never give up, or an accepted command would be lost.
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=100),
        backoff_coefficient=2,
        maximum_interval=timedelta(seconds=5),
        non_retryable_error_types=["ChatNotFoundError"],
    ),
}

_TO_KEEP_A_RESULT = timedelta(minutes=10)

_UNTIL_IT_WORKS = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=60),
    non_retryable_error_types=["ChatNotFoundError"],
)


def model_call(summary: str) -> ActivityConfig:
    """A step of a turn. Crashes and an absent database are retried without end; failures of the provider
    bring their own delay and their own limit."""
    return _long_running(timedelta(hours=2), summary)


def tool_run(call: ToolCallRef) -> ActivityConfig:
    """One tool call. The tool's own limit is kept by the activity, which can say so to the model."""
    return _long_running(timedelta(seconds=call.timeout_seconds) + _TO_KEEP_A_RESULT, call.name)


def compaction(summary: str) -> ActivityConfig:
    """A summary of the conversation; its own time limit is kept by the activity."""
    return _long_running(timedelta(hours=1), summary)


def aside(summary: str) -> ActivityConfig:
    """A call beside the conversation. It keeps its own time limit and does not fail for the model's sake, so
    a second attempt is made only when a worker has died."""
    return {
        "start_to_close_timeout": timedelta(minutes=1),
        "schedule_to_close_timeout": timedelta(minutes=5),
        "heartbeat_timeout": timedelta(seconds=10),  # nobody waits, and a needless attempt costs a call
        "retry_policy": RetryPolicy(
            initial_interval=timedelta(seconds=1),
            maximum_attempts=3,
            non_retryable_error_types=["ChatNotFoundError"],
        ),
        "summary": summary,
    }


def _long_running(limit: timedelta, summary: str) -> ActivityConfig:
    return {
        "start_to_close_timeout": limit,
        # A dead worker's activity starts anew after this; its beats come from a timer every 0.75 s.
        "heartbeat_timeout": timedelta(seconds=3),
        # What was produced is committed before the activity reports itself cancelled.
        "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        "retry_policy": _UNTIL_IT_WORKS,
        "summary": summary,
    }
