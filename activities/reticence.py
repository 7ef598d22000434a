"""What Temporal is told of an exception that nobody foresaw: its type and where it was raised, not its words.

A database's error may quote the statement with the message that was being stored; a parser's, what it could
not read. Histories are kept for weeks, so the words go to the worker's log only.
"""

from typing import Any

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

log = structlog.get_logger(__name__)


class Reticence(Interceptor):
    """Replaces exceptions of activities, except those that were made for Temporal. They are retried alike."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Reticent(next)


class _Reticent(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await super().execute_activity(input)
        except FailureError:
            raise
        except Exception as err:
            info = activity.info()
            log.exception(
                "activity failed",
                activity=info.activity_type,
                workflow_id=info.workflow_id,
                attempt=info.attempt,
            )
            kind = type(err).__name__
            told = ApplicationError(f"{kind}, see the worker's log", type=kind)
            raise told.with_traceback(err.__traceback__) from None
