"""Answers to what a chat waits for: this program's tools, and its word on approvals."""

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from perdure.client.connection import Connection
from perdure.client.errors import ApiError, BadRequest, Conflict, NoServer, TooLarge
from perdure.client.shapes import PendingCall
from perdure.client.tools import Outcome, Tool, call

ANSWER_SECONDS = 300.0
"""For how long an answer is repeated; a chat waits no longer for it by default."""

_MAX_BODY_BYTES = 240 * 1024  # the server takes 256 KiB
_REMEMBERED_CALLS = 10_000

log = logging.getLogger("perdure.client")


@dataclass(frozen=True)
class Decision:
    """A word on a call that waits for approval. A reason for denying it is told to the model."""

    approved: bool
    reason: str | None = None


Approver = Callable[[PendingCall], Awaitable[Decision | bool] | Decision | bool]
"""Decides about a call. One that is not async runs in a thread, and may ask a person."""


class Actions:
    """What one client does for one chat. Each call is taken up once, however often the stream tells of it.

    Args:
        connection: To the server.
        path: Of the chat.
        tools: By name.
        approver: Decides about calls that wait for approval; None leaves that to others.
        spawn: Starts a task that lives as long as the client.
    """

    def __init__(
        self,
        connection: Connection,
        path: str,
        tools: Mapping[str, Tool],
        approver: Approver | None,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._connection = connection
        self._path = path
        self._tools = tools
        self._approver = approver
        self._spawn = spawn
        self._taken: OrderedDict[str, None] = OrderedDict()

    def take(self, calls: Sequence[PendingCall]) -> None:
        """Begin to answer those of the calls that are this client's, if it has not begun before.

        Results are taken by the server for all calls together, so a call of an unknown tool beside known
        ones is answered, too: as an error.
        """
        wanted = [one for one in calls if one.action == "result"]
        if any(one.tool_name in self._tools for one in wanted) and self._new(wanted):
            self._spawn(self._give_results(wanted))
        if self._approver is not None:
            for one in calls:
                if one.action == "approval" and self._new([one]):
                    self._spawn(self._decide(self._approver, one))

    def _new(self, calls: Sequence[PendingCall]) -> bool:
        new = [one for one in calls if f"{one.action} {one.tool_call_id}" not in self._taken]
        for one in new:
            self._taken[f"{one.action} {one.tool_call_id}"] = None
        while len(self._taken) > _REMEMBERED_CALLS:
            self._taken.popitem(last=False)
        return bool(new)

    async def _give_results(self, calls: Sequence[PendingCall]) -> None:
        outcomes = await asyncio.gather(*(self._run(one) for one in calls))
        answers = [
            {"tool_call_id": one.tool_call_id, "output": outcome.output, "is_error": outcome.is_error}
            for one, outcome in zip(calls, outcomes, strict=True)
        ]
        _shorten(answers)
        refusal = await self._answer("tool-results", {"results": answers})
        if refusal is not None:
            # what cannot be taken must not leave the chat waiting
            why = f"The tool ran, but its result was not accepted: {refusal.detail or refusal.message}"
            for answer in answers:
                answer["output"], answer["is_error"] = why, True
            await self._answer("tool-results", {"results": answers})

    async def _run(self, wanted: PendingCall) -> Outcome:
        tool = self._tools.get(wanted.tool_name)
        if tool is None:
            return Outcome(f"This client has no tool {wanted.tool_name!r}.", is_error=True)
        return await tool.run(wanted.args)

    async def _decide(self, approver: Approver, wanted: PendingCall) -> None:
        try:
            word = await call(approver, wanted)
        except Exception:
            log.exception("nobody could decide about a call of %s; it is denied", wanted.tool_name)
            word = Decision(approved=False, reason="Approval could not be asked for.")
        decision = word if isinstance(word, Decision) else Decision(approved=word is True)
        await self._answer("approvals", {"approvals": [decision_body(wanted.tool_call_id, decision)]})

    async def _answer(self, route: str, body: object) -> ApiError | None:
        """Post an answer until it is taken, or found to be too late; what is wrong with it, if anything."""
        try:
            await self._connection.request(
                "POST", f"{self._path}/{route}", json=body, key=str(uuid4()), patience_seconds=ANSWER_SECONDS
            )
        except Conflict as late:
            log.info("somebody else has answered, or nobody waits any more: %s", late.message)
        except (BadRequest, TooLarge) as refusal:
            if any(field.endswith("tool_call_id") for field, _ in refusal.validations):
                log.info("the chat waits for other calls by now: %s", refusal.detail)
                return None
            return refusal
        except (ApiError, NoServer) as error:
            log.error("an answer could not be given: %s", error)
        return None


def decision_body(call_id: str, decision: Decision) -> dict[str, Any]:
    """A decision as the API takes it."""
    body: dict[str, Any] = {
        "tool_call_id": call_id,
        "decision": "approve" if decision.approved else "deny",
    }
    if decision.reason and not decision.approved:
        body["reason"] = decision.reason
    return body


def _shorten(answers: Sequence[dict[str, Any]]) -> None:
    """Replace outputs, the longest first, until all of them fit into one request."""
    sizes = [len(json.dumps(answer).encode()) for answer in answers]
    while sum(sizes) > _MAX_BODY_BYTES:
        longest = sizes.index(max(sizes))
        answers[longest]["output"] = (
            f"The result is too long: {sizes[longest]} bytes of JSON; {_MAX_BODY_BYTES} are taken at most."
        )
        answers[longest]["is_error"] = True
        sizes[longest] = len(json.dumps(answers[longest]).encode())
