"""Names for chats and turns, found by a model beside the conversation.

Nothing waits for a name and nothing fails for it: a call that fails, takes too long or answers with something
that is no name leaves the title as it was, and gives a turn its plain label. Calls are made at most once per
attempt of the activity; only the death of a worker makes a second attempt.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity

from activities.answer import AnswerBuilder
from activities.heartbeat import beating
from activities.listening import Patience, listen
from activities.live import LiveView
from activities.passing import passes
from activities.prompt.naming import LABEL, TITLE, Wanted, name_in, naming_request
from activities.providers.directory import ProviderDirectory
from activities.providers.failures import provider_failure
from activities.providers.headers import request_headers
from activities.providers.protocol import ModelCallError, ModelEvent
from activities.purposes import naming_model
from activities.spending import Purse, paid_call
from models.failures import FailureKind, retry_delay_seconds
from models.hints import Hint, HintKind
from models.inbox import FALLBACK_LABEL
from models.model_options import effective_effort
from models.naming import accepted_label, accepted_title
from models.spending import SpentOn
from models.store import naming
from models.store.costs import Aside, keep_aside
from models.store.naming import Nameless
from models.turns import ChatNaming, Proposed, TitleProposal, TurnLabel

log = structlog.get_logger(__name__)

LIMIT_SECONDS = 30.0
_TRIES = 3
"""Calls for a title of which all but the last failed for a transient reason."""


@dataclass(frozen=True, slots=True)
class _Named:
    """What a call has given: the name as the model wrote it, and what it has cost."""

    name: object
    spent: Aside


@dataclass(frozen=True)
class Naming:
    """Finds names. `directory` knows the models this worker can call."""

    engine: AsyncEngine
    live: LiveView
    directory: ProviderDirectory
    patience: Patience

    @activity.defn
    async def name_chat(self, wanted: ChatNaming) -> None:
        async with beating():
            nameless = await naming.read_untitled(self.engine, wanted.chat_id)
            if nameless is None:
                return
            named = await self._ask_quietly(TITLE, SpentOn.TITLE, nameless, tries=_TRIES)
            title = accepted_title(named.name) if named else None
            spent = named.spent if named else None
            if await naming.keep_title(self.engine, wanted.chat_id, nameless.title, title, spent):
                self.live.hint(Hint(nameless.payer.user_id, wanted.chat_id, HintKind.TITLE_CHANGE))

    @activity.defn
    async def label_turn(self, wanted: TurnLabel) -> None:
        async with beating():
            nameless = await naming.read_finished_turn(self.engine, wanted.chat_id, wanted.turn)
            if nameless is None:
                return
            taken = nameless.label is not None or await self._label(wanted, nameless)
            hints = [Hint(nameless.payer.user_id, wanted.chat_id, HintKind.NOTIFIED, wanted.turn)]
            if taken:
                hints.append(Hint(nameless.payer.user_id, wanted.chat_id, HintKind.SUMMARY_CHANGE))
            self.live.hint(*hints)

    @activity.defn
    async def propose_title(self, wanted: TitleProposal) -> Proposed:
        async with beating():
            nameless = await naming.read_for_proposal(self.engine, wanted.chat_id)
            if nameless is None or not nameless.conversation:
                return Proposed()
            try:
                async with asyncio.timeout(LIMIT_SECONDS):
                    named = await self._ask(TITLE, SpentOn.PROPOSAL, nameless)
            except TimeoutError:
                return Proposed(too_late=True)
            except ModelCallError as err:
                return Proposed(failed=err.failure.kind)
            title = accepted_title(named.name)
            if title is None:
                await keep_aside(self.engine, named.spent, turn=0)
                return Proposed(failed=FailureKind.GENERIC)
            return Proposed(proposal_id=await naming.keep_proposal(self.engine, title, named.spent))

    async def _label(self, wanted: TurnLabel, nameless: Nameless) -> bool:
        """Find a label and keep it; whether the chat took it."""
        named = None
        if nameless.conversation:
            named = await self._ask_quietly(LABEL, SpentOn.LABEL, nameless, tries=1)
        label = (accepted_label(named.name) if named else None) or FALLBACK_LABEL
        spent = named.spent if named else None
        return await naming.keep_label(self.engine, wanted.chat_id, wanted.turn, label, spent)

    async def _ask_quietly(
        self, wanted: Wanted, purpose: SpentOn, nameless: Nameless, *, tries: int
    ) -> _Named | None:
        """The answer; None where there is none in time."""
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                for attempt in range(1, tries + 1):
                    try:
                        return await self._ask(wanted, purpose, nameless)
                    except ModelCallError as err:
                        log.info("no name found", tool=wanted.tool.name, kind=err.failure.kind)
                        if not err.failure.retryable or attempt == tries:
                            return None
                        await asyncio.sleep(retry_delay_seconds(attempt, err.failure.retry_after_seconds))
        except TimeoutError:
            log.info("no name found in time", tool=wanted.tool.name)
        return None

    async def _ask(self, wanted: Wanted, purpose: SpentOn, nameless: Nameless) -> _Named:
        """One call.

        Raises:
            ModelCallError: it failed.
        """
        builder = AnswerBuilder(_now)

        def take(event: ModelEvent) -> None:
            builder.add(event)

        began = time.monotonic()
        payer = nameless.payer
        asked = await naming_model(
            self.directory, nameless.model_config_id, payer.organization_id, payer.user_id
        )
        model = asked.model
        headers = request_headers(payer.user_id, nameless.chat_id)
        effort = effective_effort(asked.effort, model.config) if asked.effort else None
        request = naming_request(wanted, model.model, nameless.conversation, headers, effort=effort)
        paid = paid_call(purpose, model, nameless.turn, 0)
        purse = Purse(self.engine, payer, paid, model, limited=nameless.budgeted)
        try:
            async with purse.closed_on_failure(), self.directory.calling(model, payer.user_id) as provider:
                await listen(purse.paying(provider), request, self.patience, take)
        except ModelCallError:
            raise
        except Exception as err:
            if passes(err):
                raise
            log.exception("naming failed unexpectedly")
            raise ModelCallError(provider_failure(FailureKind.GENERIC, model.provider)) from err
        bill = purse.bill()
        assert builder.finish is not None, "the protocol raises for a stream without its end"
        assert bill is not None, "an answer that is whole has its usage"
        runtime_ms = round((time.monotonic() - began) * 1000)
        spent = Aside(bill, runtime_ms, builder.finish.response_id)
        return _Named(name_in(wanted, builder.finished().parts), spent)


def _now() -> datetime:
    return datetime.now(UTC)
