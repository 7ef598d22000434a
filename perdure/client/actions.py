"""Answers to what a chat waits for: this program's tools, and its word on approvals."""

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from perdure.client.connection import Connection
from perdure.client.errors import ApiError, BadRequest, Conflict, NoServer, TooLarge
from perdure.client.shapes import PendingCall
from perdure.client.tools import Outcome, Tool, call

ANSWER_SECONDS = 300.0
"""For how long an answer is repeated; a chat waits no longer for it by default."""

_MAX_BODY_BYTES = 240 * 1024  # the server takes 256 KiB
_REMEMBERED_CALLS = 10_000
_KEPT_ANSWERS = 100

Wanted = tuple[str, str]
"""What a call waits for, and its id: a call of the client may wait for approval first."""

T = TypeVar("T")


class Spawn(Protocol):
    """Starts a task that lives as long as the client."""

    def __call__(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]: ...


log = logging.getLogger("perdure.client")


@dataclass(frozen=True)
class Decision:
    """A word on a call that waits for approval. A reason for denying it is told to the model."""

    approved: bool
    reason: str | None = None


Approver = Callable[[PendingCall], Awaitable[Decision | bool] | Decision | bool]
"""Decides about a call. One that is not async runs in a thread, and may ask a person."""


class Actions:
    """What one client does for one chat. Each call is run, or asked about, once, however often the stream
    tells of it.

    An answer that comes too early is refused, for instance while an approved call beside it runs. It is kept
    and given when the chat waits for it again.

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
        spawn: Spawn,
    ) -> None:
        self._connection = connection
        self._path = path
        self._tools = tools
        self._approver = approver
        self._spawn = spawn
        self._asking = asyncio.Lock()
        self._told_again: dict[tuple[str, ...], bool] = {}
        self._answers: OrderedDict[Wanted, asyncio.Task[Any]] = OrderedDict()
        self._given: OrderedDict[Wanted, None] = OrderedDict()

    def take(self, calls: Sequence[PendingCall]) -> None:
        """Begin to answer those of the calls that are this client's.

        Results are taken by the server for all calls together, so a call of an unknown tool beside known
        ones is answered, too: as an error.
        """
        results = [one for one in calls if one.action == "result"]
        if any(one.tool_name in self._tools for one in results):
            self._take("result", results)
        if self._approver is not None:
            self._take("approval", [one for one in calls if one.action == "approval"])

    def _take(self, action: str, calls: Sequence[PendingCall]) -> None:
        key = (action, *(one.tool_call_id for one in calls))
        if all(_wanted(one) in self._given for one in calls):
            return  # what tells of them was under way when they were answered
        seen_to = key in self._told_again
        self._told_again[key] = True  # at once: what is spawned only begins later
        if not seen_to:
            self._spawn(self._see_to(key, calls))

    async def _see_to(self, key: tuple[str, ...], calls: Sequence[PendingCall]) -> None:
        """Answer calls, again if they are told of again meanwhile."""
        try:
            while self._told_again[key]:
                self._told_again[key] = False
                give = self._give_results if key[0] == "result" else self._give_decisions
                if await give(calls):
                    self._remember_given(calls)
                    return
        finally:
            del self._told_again[key]

    def _remember_given(self, calls: Sequence[PendingCall]) -> None:
        for one in calls:
            self._answers.pop(_wanted(one), None)
            self._given[_wanted(one)] = None
        while len(self._given) > _REMEMBERED_CALLS:
            self._given.popitem(last=False)

    def _once(
        self, wanted: PendingCall, begin: Callable[[PendingCall], Coroutine[Any, Any, T]]
    ) -> Awaitable[T]:
        """The answer to a call, from the first time that it was begun."""
        known = self._answers.get(_wanted(wanted))
        if known is None:
            known = self._answers[_wanted(wanted)] = self._spawn(begin(wanted))
            while len(self._answers) > _KEPT_ANSWERS:
                self._answers.popitem(last=False)
        return known

    async def _give_results(self, calls: Sequence[PendingCall]) -> bool:
        outcomes = await asyncio.gather(*[self._once(one, self._run) for one in calls])
        answers = [
            {"tool_call_id": one.tool_call_id, "output": outcome.output, "is_error": outcome.is_error}
            for one, outcome in zip(calls, outcomes, strict=True)
        ]
        _shorten(answers)
        body = {"results": answers}
        try:
            return await self._answer("tool-results", body)
        except (BadRequest, TooLarge) as refusal:
            # what cannot be taken must not leave the chat waiting
            why = f"The tool ran, but its result was not accepted: {refusal.detail or refusal.message}"
            for answer in answers:
                answer["output"], answer["is_error"] = why, True
        try:
            return await self._answer("tool-results", body)
        except (BadRequest, TooLarge) as refusal:
            log.error("results were not accepted: %s", refusal)
            return True

    async def _run(self, wanted: PendingCall) -> Outcome:
        tool = self._tools.get(wanted.tool_name)
        if tool is None:
            return Outcome(f"This client has no tool {wanted.tool_name!r}.", is_error=True)
        return await tool.run(wanted.args)

    async def _give_decisions(self, calls: Sequence[PendingCall]) -> bool:
        decisions = await asyncio.gather(*[self._once(one, self._ask) for one in calls])
        words = [
            decision_body(one.tool_call_id, decision) for one, decision in zip(calls, decisions, strict=True)
        ]
        try:
            return await self._answer("approvals", {"approvals": words})
        except (BadRequest, TooLarge) as refusal:
            log.error("decisions were not accepted: %s", refusal)
            return True

    async def _ask(self, wanted: PendingCall) -> Decision:
        """Ask the approver: one question at a time, a person may be behind it."""
        assert self._approver is not None
        try:
            async with self._asking:
                word = await call(self._approver, wanted)
        except Exception:
            log.exception("nobody could decide about a call of %s; it is denied", wanted.tool_name)
            return Decision(approved=False, reason="Approval could not be asked for.")
        return word if isinstance(word, Decision) else Decision(approved=word is True)

    async def _answer(self, route: str, body: object) -> bool:
        """Post an answer until the server has heard it; whether it was taken.

        Raises:
            BadRequest: It is none.
            TooLarge: It is too large.
        """
        try:
            await self._connection.request(
                "POST", f"{self._path}/{route}", json=body, patience_seconds=ANSWER_SECONDS
            )
        except Conflict as late:
            log.info("the chat does not wait for this now: %s", late.message)
            return False
        except BadRequest as refusal:
            if any(field.endswith("tool_call_id") for field, _ in refusal.validations):
                log.info("the chat waits for other calls now: %s", refusal.detail)
                return False
            raise
        except TooLarge:
            raise
        except (ApiError, NoServer) as error:
            log.error("an answer could not be given: %s", error)
            return False
        return True


def _wanted(one: PendingCall) -> Wanted:
    return one.action, one.tool_call_id


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
