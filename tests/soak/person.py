"""Carries out the plan of one chat, and keeps a journal of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from uuid import uuid4
from zlib import crc32

import httpx2
from sqlalchemy.exc import SQLAlchemyError

from activities.providers.demo import DemoModel
from tests.durable.caller import Body, Caller
from tests.soak.journal import Fate, Journal, Sent, fate_of
from tests.soak.plan import (
    Archive,
    ChatPlan,
    Drop,
    Edit,
    Forget,
    Interrupt,
    Planned,
    Promote,
    Say,
    WaitForRest,
)
from tests.soak.turns import CLIENT_TOOL, Turn

_INSISTS_SECONDS = 30.0
_PAUSE_SECONDS = 0.25
_PATIENCE_SECONDS = 15.0

Answer = httpx2.Response | None
Request = Callable[[], Awaitable[httpx2.Response]]


class Person:
    """Whoever writes to one chat.

    Args:
        caller: How requests are made.
        organization: Whose chat it is.
        model: Is told when a stalled answer may go on.
        over: Once set, no further action is begun.
    """

    def __init__(
        self,
        caller: Caller,
        organization: str,
        model: DemoModel,
        journal: Journal,
        over: asyncio.Event,
    ) -> None:
        self.journal = journal
        self._organization = organization
        self._caller = caller
        self._model = model
        self._over = over
        self._ushers: list[asyncio.Task[None]] = []

    async def create(self, turn: Turn) -> bool:
        """Create the chat; whether that succeeded within the time."""
        body = {
            "organization_id": self._organization,
            "content": [{"type": "text", "text": turn.message}],
            "unsafe_dynamic_tools": [{"name": CLIENT_TOOL, "description": "Runs at the client."}],
        }
        headers = {"Idempotency-Key": str(uuid4())}
        sent = self._begin(turn)
        post = self._request(lambda: self._caller.http.post(self._caller.url, json=body, headers=headers))
        answer = await self._insist(sent, "create", post)
        if answer is not None and sent.fate is Fate.ACCEPTED:
            self.journal.chat = answer.json()["id"]
        return bool(self.journal.chat)

    async def live(self, plan: ChatPlan) -> None:
        """Do what is planned, until it is done or the time is over."""
        for planned in plan.actions:
            await self._pause(planned.after_seconds)
            if self._over.is_set():
                return
            await self._do(planned)

    def leave(self) -> None:
        """Release no more stalls."""
        for usher in self._ushers:
            usher.cancel()

    async def say(self, say: Say) -> Sent:
        """Send a message until it is clear what became of it, or only once."""
        sent = self._begin(say.turn)
        sent.steers = sent.jumped = say.busy == "steer"
        key = str(uuid4())
        post = self._request(
            lambda: self._caller.try_to_send(self.journal.chat, say.turn.message, busy=say.busy, key=key)
        )
        answers = await asyncio.gather(*(self._once(sent, say.busy, post) for _ in range(say.together)))
        if say.insist and sent.fate is Fate.UNKNOWN:
            answers.append(await self._insist(sent, say.busy, post))
        if say.again and sent.fate is Fate.ACCEPTED:
            answers.append(await self._once(sent, "again", post))
            self.journal.count("repetitions")
        if say.busy == "interrupt" and sent.fate is not Fate.REFUSED:
            self.journal.stops += 1
        self.journal.count(f"messages {sent.fate}")
        return sent

    async def set_archived(self, archived: bool) -> Answer:
        """Archive or unarchive once."""
        answer = await self._request(lambda: self._caller.set_archived(self.journal.chat, archived))()
        self.journal.note(f"archived={archived}: {_brief(answer)}")
        self.journal.count(f"archived={archived}: {_status(answer)}")
        return answer

    async def rest(self, seconds: float = _PATIENCE_SECONDS) -> bool:
        """Wait until the chat has nothing more to do; whether it came to that in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if await self._rests():
                return True
            await asyncio.sleep(_PAUSE_SECONDS)
        return False

    async def _do(self, planned: Planned) -> None:
        match planned.action:
            case Say() as say:
                await self.say(say)
            case Interrupt():
                await self._interrupt()
            case Archive(turn):
                await self._archive(turn)
            case Edit(turn, back):
                await self._edit(turn, back)
            case Promote(place):
                await self._promote(place)
            case Drop(place):
                await self._drop(place)
            case Forget(how):
                answer = await self._request(lambda: self._caller.ask(self.journal.chat, how))()
                self.journal.note(f"{how}: {_brief(answer)}")
                self.journal.count(f"{how}: {_status(answer)}")
            case WaitForRest():
                rested = await self.rest()
                self.journal.note("rests" if rested else "has not come to rest yet")

    async def _edit(self, turn: Turn, back: int) -> None:
        page = await self._page()
        ids = [message["id"] for message in page["messages"] if message["role"] == "user"]
        if not ids:
            return
        target, earlier = ids[min(back, len(ids) - 1)], [*self.journal.sent]
        sent = self._begin(turn)
        body = {"content": [{"type": "text", "text": turn.message}]}
        url, headers = self._url(f"messages/{target}"), {"Idempotency-Key": str(uuid4())}
        for other in earlier:
            other.may_be_cut = True
        self.journal.cuts.append(target)
        patch = self._request(lambda: self._caller.http.patch(url, json=body, headers=headers))
        await self._insist(sent, f"edit {target} to", patch)
        self.journal.count(f"edits {sent.fate}")

    async def _promote(self, place: int) -> None:
        queued = await self._queued(place)
        if queued is None:
            return
        for sent in self.journal.sent:
            sent.jumped |= sent.queue_place == queued
        answer = await self._request(lambda: self._caller.http.post(self._url(f"queue/{queued}/promote")))()
        self.journal.stops += fate_of(answer) is not Fate.REFUSED
        self.journal.note(f"promote {queued}: {_brief(answer)}")
        self.journal.count(f"promotions: {_status(answer)}")

    async def _drop(self, place: int) -> None:
        queued = await self._queued(place)
        if queued is None:
            return
        for sent in self.journal.sent:
            sent.may_be_cut |= sent.queue_place == queued
        answer = await self._request(lambda: self._caller.http.delete(self._url(f"queue/{queued}")))()
        self.journal.note(f"drop {queued}: {_brief(answer)}")
        self.journal.count(f"queue deletions: {_status(answer)}")

    async def _queued(self, place: int) -> int | None:
        """The id of the message at a place of the queue."""
        ids = [message["id"] for message in (await self._page())["queued_messages"]]
        return ids[place % len(ids)] if ids else None

    async def _page(self) -> Body:
        """The newest messages and the queue; nothing if they cannot be read now."""
        answer = await self._request(lambda: self._caller.http.get(self._url("messages")))()
        if answer is None or not answer.is_success:
            return {"messages": [], "queued_messages": []}
        return answer.json()

    def _url(self, what: str) -> str:
        return f"{self._caller.url}/{self.journal.chat}/{what}"

    async def serve(self) -> None:
        """Decide on calls that wait for approval, and give the results of the client's tools, whenever the
        chat waits for them, until cancelled."""
        while True:
            await asyncio.sleep(_PAUSE_SECONDS)
            calls = await self._awaited()
            await self._decide([call["id"] for call in calls if call.get("approval") == "pending"])
            await self._give_results([call["id"] for call in calls if call.get("client")])

    async def _decide(self, calls: list[str]) -> None:
        if not calls:
            return
        denied = {call for call in calls if crc32(call.encode()) % 3 == 0}
        decisions = [
            {"tool_call_id": call, "decision": "deny" if call in denied else "approve"} for call in calls
        ]
        if await self._answer("approvals", {"approvals": decisions}) is Fate.ACCEPTED:
            self.journal.denied |= denied

    async def _give_results(self, calls: list[str]) -> None:
        if calls:
            results = [{"tool_call_id": call, "output": {"of": call}} for call in calls]
            await self._answer("tool-results", {"results": results})

    async def _answer(self, what: str, body: Body) -> Fate:
        """Give what the chat waits for; it waits as well for what somebody else may give."""
        answer = await self._request(lambda: self._caller.post(self.journal.chat, what, body))()
        fate = fate_of(answer)
        self.journal.results[fate] += 1
        self.journal.note(f"{what} {body}: {_brief(answer)}")
        self.journal.count(f"{what}: {_status(answer)}")
        return fate

    async def _awaited(self) -> list[Body]:
        """The calls that wait for somebody outside."""
        try:
            rows = await self._caller.rows.ask(
                "SELECT open_calls FROM chats WHERE id = :chat AND status = 'requires_action'",
                chat=self.journal.chat,
            )
        except (SQLAlchemyError, OSError):
            return []
        return [call for row in rows for call in row.open_calls]

    async def _interrupt(self) -> None:
        answer = await self._request(lambda: self._caller.interrupt(self.journal.chat))()
        self.journal.stops += fate_of(answer) is not Fate.REFUSED
        self.journal.note(f"interrupt: {_brief(answer)}")
        self.journal.count(f"interrupts: {_status(answer)}")

    async def _archive(self, turn: Turn) -> None:
        answer = await self.set_archived(True)
        if fate_of(answer) is Fate.ACCEPTED:
            sent = await self.say(Say(turn))
            if sent.fate is Fate.ACCEPTED:
                self.journal.wrongs.append(f"an archived chat accepted {turn.tag}")
        if fate_of(answer) is not Fate.REFUSED:
            await self.unarchive()

    async def unarchive(self) -> None:
        """Unarchive the chat, until it is clear that it is."""
        deadline = time.monotonic() + _INSISTS_SECONDS
        while time.monotonic() < deadline:
            if fate_of(await self.set_archived(False)) is not Fate.UNKNOWN:
                return
            await asyncio.sleep(_PAUSE_SECONDS)

    def _begin(self, turn: Turn) -> Sent:
        self._ushers += [asyncio.create_task(self._usher(name)) for name in turn.stalls]
        return self.journal.begin(turn)

    async def _usher(self, stall: str) -> None:
        """Let a stalled answer go on, well before the silence guard would."""
        await self._model.reached(stall)
        await asyncio.sleep(1.0)
        self._model.release(stall)

    async def _insist(self, sent: Sent, what: str, post: Callable[[], Awaitable[Answer]]) -> Answer:
        deadline = time.monotonic() + _INSISTS_SECONDS
        answer = None
        while sent.fate is Fate.UNKNOWN and time.monotonic() < deadline:
            answer = await self._once(sent, what, post)
            if sent.fate is Fate.UNKNOWN:
                await asyncio.sleep(_PAUSE_SECONDS)
        return answer

    async def _once(self, sent: Sent, what: str, post: Callable[[], Awaitable[Answer]]) -> Answer:
        answer = await post()
        self.journal.note(f"{what} {sent.turn.tag}: {_brief(answer)}")
        self.journal.count(f"posts: {_status(answer)}")
        fate = fate_of(answer)
        if fate is Fate.ACCEPTED and answer is not None:
            self._accepted(sent, answer)
        sent.unclear |= fate is Fate.UNKNOWN
        if fate is Fate.REFUSED and sent.fate is not Fate.ACCEPTED and _final(answer, sent):
            sent.fate = Fate.REFUSED
        return answer

    def _accepted(self, sent: Sent, answer: httpx2.Response) -> None:
        body = answer.json()
        if sent.fate is not Fate.ACCEPTED:
            sent.fate, sent.answered, sent.answer = Fate.ACCEPTED, time.monotonic(), body
            queued = body.get("queued_message")
            sent.queue_place = queued["id"] if queued else None
        elif body != sent.answer:
            self.journal.wrongs.append(f"{sent.turn.tag} was answered {sent.answer}, repeated {body}")

    def _request(self, make: Request) -> Callable[[], Awaitable[Answer]]:
        async def made() -> Answer:
            try:
                return await make()
            except (httpx2.HTTPError, OSError):
                return None

        return made

    async def _rests(self) -> bool:
        try:
            (row,) = await self._caller.rows.ask(
                "SELECT status FROM chats WHERE id = :chat", chat=self.journal.chat
            )
        except (SQLAlchemyError, OSError):
            return False
        return row.status in ("waiting", "error")

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            pass


def _final(answer: Answer, sent: Sent) -> bool:
    """Whether a refusal speaks for earlier attempts, too. That the chat is archived says nothing of them."""
    return answer is not None and (answer.status_code != 400 or not sent.unclear)


def _status(answer: Answer) -> str:
    return "no answer" if answer is None else str(answer.status_code)


def _brief(answer: Answer) -> str:
    return "no answer" if answer is None else f"{answer.status_code} {answer.text[:200]}"
