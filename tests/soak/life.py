"""One chat from its creation to its judgement."""

import asyncio

from activities.providers.demo import DemoModel
from tests.durable.caller import Body, Caller
from tests.soak.chaos import Chaos
from tests.soak.evidence import Places, rows_of
from tests.soak.invariants import judge
from tests.soak.journal import Fate, Journal
from tests.soak.person import Person
from tests.soak.plan import ChatPlan, Say
from tests.soak.turns import plain_turn
from tests.soak.watcher import SocketWatcher, Watcher

_RESTS_WITHIN_SECONDS = 120.0
_ANSWERS_WITHIN_SECONDS = 60.0
_TOLD_WITHIN_SECONDS = 15.0
_PAGE = 200


class Life:
    """A chat, the person who writes to it, and its readers."""

    def __init__(
        self, plan: ChatPlan, caller: Caller, model: DemoModel, journal: Journal, places: Places
    ) -> None:
        self.journal = journal
        self._plan = plan
        self._caller = caller
        self._model = model
        self._places = places
        self._watchers: list[Watcher] = []

    async def go(self, organization: str, chaos: Chaos, over: asyncio.Event) -> list[str]:
        """Live and be judged.

        Returns:
            What contradicts an invariant.
        """
        person = Person(self._caller, organization, self._model, self.journal, over)
        serving: asyncio.Task[None] | None = None
        try:
            if not await person.create(self._plan.first):
                return ["accepted: the chat could not be created in time"]
            self._begin_to_watch()
            serving = asyncio.create_task(person.serve())
            await person.live(self._plan)
            if not await person.rest(_RESTS_WITHIN_SECONDS):
                return [f"rests: not within {_RESTS_WITHIN_SECONDS:.0f} s"]
            async with chaos.calm():
                return await self._end(person)
        finally:
            if serving is not None:
                serving.cancel()
            person.leave()
            for watcher in self._watchers:
                await watcher.stop()

    def _begin_to_watch(self) -> None:
        for number in range(self._plan.readers):
            kind = SocketWatcher if number == 1 else Watcher
            url = f"{self._caller.url}/{self.journal.chat}/stream"
            watcher = kind(url, self._caller.headers, name=f"{self._plan.name}-r{number}")
            self._watchers.append(watcher)
            watcher.follow()

    async def _end(self, person: Person) -> list[str]:
        """Judge the chat as it rests, see that it goes on from there, and judge all of it."""
        chat = self.journal.chat
        if not await person.rest(_ANSWERS_WITHIN_SECONDS):
            return ["rests: not even in calm"]
        found = judge(await rows_of(self._caller.rows, chat, self._plan.name, self._places), self.journal)
        found += await self._goes_on(person)
        evidence = await rows_of(self._caller.rows, chat, self._plan.name, self._places)
        found += judge(evidence, self.journal)
        if evidence.chat.status != "waiting":
            found.append(f"goes on: the chat is {evidence.chat.status} in the end")
        found += await self._judge_watchers(evidence.chat.status)
        self.journal.count("chats")
        self.journal.count("messages in history", len(evidence.messages))
        self.journal.count("steps", len(evidence.steps))
        self.journal.count("tool results", len(evidence.results))
        self.journal.count("readers resumed", sum(watcher.resumed for watcher in self._watchers))
        return list(dict.fromkeys(found))

    async def _goes_on(self, person: Person) -> list[str]:
        """A chat at rest takes a message and answers it, and after errors each message moves the queue on."""
        (row,) = await self._caller.rows.ask(
            "SELECT archived FROM chats WHERE id = :chat", chat=self.journal.chat
        )
        if row.archived:
            await person.unarchive()
        for number in range(1, 30):
            sent = await person.say(Say(plain_turn(f"{self._plan.name}-end{number}")))
            if sent.fate is not Fate.ACCEPTED:
                return [f"goes on: {sent.turn.tag} was {sent.fate}"]
            if not await person.rest(_ANSWERS_WITHIN_SECONDS):
                return [f"goes on: no rest after {sent.turn.tag}"]
            (row,) = await self._caller.rows.ask(
                "SELECT status FROM chats WHERE id = :chat", chat=self.journal.chat
            )
            if row.status == "waiting":
                return []
        return ["goes on: the queue does not get empty"]

    async def _judge_watchers(self, status: str) -> list[str]:
        """Each ends with exactly what a fresh GET says."""
        stored = await self._history()
        found: list[str] = []
        for watcher in self._watchers:
            await watcher.stay()
            try:
                await watcher.until(
                    lambda w: (
                        w.status == status and [w.messages[key] for key in sorted(w.messages)] == stored
                    ),
                    _TOLD_WITHIN_SECONDS,
                )
            except TimeoutError:
                known = {key: value for key, value in watcher.messages.items()}
                missing = [message["id"] for message in stored if known.pop(message["id"], None) != message]
                found.append(
                    f"readers end with the rows: {watcher.name} is told {watcher.status}, lacks {missing}, "
                    f"has besides {list(known)}"
                )
            if watcher.preview:
                found.append(
                    f"readers end with the rows: {watcher.name} still shows {watcher.preview[:80]!r}"
                )
            found += [f"readers are told each part once: {watcher.name}: {wrong}" for wrong in watcher.wrongs]
        return found

    async def _history(self) -> list[Body]:
        """All of it, page by page."""
        stored: list[Body] = []
        more = True
        while more:
            answer = await self._caller.http.get(
                f"{self._caller.url}/{self.journal.chat}/messages",
                params={"after_id": stored[-1]["id"] if stored else 1, "limit": _PAGE},
            )
            assert answer.status_code == 200, answer.text
            page = answer.json()
            stored += page["messages"]
            more = page["has_more"]
        return stored
