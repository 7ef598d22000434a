"""One chat and the activities of its turn, run without a workflow."""

from dataclasses import dataclass, field
from typing import Any

from prometheus_client import REGISTRY
from redis.asyncio import Redis
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.attachments import Attachments
from activities.listening import Patience
from activities.live import LiveView
from activities.model_call import ModelCalls
from activities.providers.demo import DemoModel
from activities.providers.directory import ProviderDirectory
from activities.stops import StopListener
from activities.tool_call import ToolCalls
from activities.tool_files import ToolFiles
from activities.tools.builtin import builtin_tools
from activities.tools.registry import ToolRegistry
from models.chat_state import StateName
from models.failures import RetryLimits
from models.store.blobs import PostgresBlobs
from models.stream import Preview, decode_entry, stream_key
from models.turns import ModelCall, StepOutcome
from tests.models.store.rows import ChatRows


@dataclass
class Bench:
    chat: ChatRows
    redis: Redis
    model: DemoModel
    directory: ProviderDirectory
    tools: ToolRegistry = field(default_factory=lambda: ToolRegistry(builtin_tools()))

    def __post_init__(self) -> None:
        self.live = LiveView(self.redis)

    async def begin(self, said: str, name: StateName = StateName.R0) -> ModelCall:
        """A turn that has just been asked `said`."""
        await self.chat.write(name, open_calls=False)
        await self.chat.say(f"{said} {self.chat.chat}")  # the model tells repetitions by their words
        return ModelCall(chat_id=self.chat.chat, turn=3, step=2)

    @property
    def attachments(self) -> Attachments:
        return Attachments(self.chat.engine, PostgresBlobs(self.chat.engine))

    @property
    def tool_calls(self) -> ToolCalls:
        files = ToolFiles(self.chat.engine, PostgresBlobs(self.chat.engine))
        return ToolCalls(self.chat.engine, self.live, StopListener(self.redis), self.tools, files)

    def models(
        self,
        *,
        first_part_seconds: float = 20,
        silence_seconds: float = 20,
        limits: RetryLimits | None = None,
        directory: ProviderDirectory | None = None,
    ) -> ModelCalls:
        return ModelCalls(
            self.chat.engine,
            self.live,
            StopListener(self.redis),
            self.tools,
            directory or self.directory,
            self.attachments,
            Patience(first_part_seconds, silence_seconds),
            limits or RetryLimits(),
        )

    async def call(self, call: ModelCall, models: ModelCalls | None = None) -> StepOutcome:
        """Run one attempt at a step.

        Raises:
            ApplicationError: it is to be tried again later.
        """
        outcome = await ActivityEnvironment().run((models or self.models()).call_model, call)
        await self.live.drain()
        return outcome

    async def retry_of(self, call: ModelCall, models: ModelCalls | None = None) -> ApplicationError:
        """The error by which an attempt asks for another one."""
        try:
            outcome = await self.call(call, models)
        except ApplicationError as error:
            await self.live.drain()
            return error
        raise AssertionError(f"no retry: {outcome}")

    async def shown(self) -> list[tuple[tuple[int, int], int, str, dict[str, Any]]]:
        """The parts on the live stream: episode, number, role, part."""
        client: Any = self.redis
        entries = [decode_entry(fields) for _, fields in await client.xrange(stream_key(self.chat.chat))]
        return [
            ((e.episode.history_version, e.episode.generation_attempt), part.seq, part.role, part.part)
            for e in entries
            if isinstance(e, Preview)
            for part in e.parts
        ]


def counted(name: str, **labels: str) -> float:
    """What metrics say of the demo model by now."""
    labels = {"provider": "demo", "model": "perdure-demo", **labels}
    return REGISTRY.get_sample_value(f"coderd_chatd_{name}", labels) or 0
