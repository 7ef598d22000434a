"""A chat with a scripted endpoint, through the same code as a worker's: answers built, rows kept, requests
assembled."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from activities.answer import AnswerBuilder
from activities.prompt.assemble import ModelFacts, assemble
from activities.providers.protocol import Finish, ModelEvent, ModelProvider, ToolSpec
from models.store.transcripts import TranscriptMessage

from .answers import Block, stream
from .raw_server import RawServer, sse

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOOLS = [ToolSpec(n, "", {"type": "object", "properties": {}}) for n in ("look", "current_time", "act")]


@dataclass
class Conversation:
    """Rows of a chat, and an endpoint to talk to."""

    server: RawServer
    provider: ModelProvider
    facts: ModelFacts = field(default_factory=lambda: ModelFacts("claude-sonnet-4-5"))
    rows: list[TranscriptMessage] = field(default_factory=list[TranscriptMessage])

    def say(self, *parts: dict[str, Any] | str) -> None:
        self.add("user", *({"type": "text", "text": p} if isinstance(p, str) else p for p in parts))

    def add(self, role: str, *parts: dict[str, Any]) -> None:
        self.rows.append(TranscriptMessage(len(self.rows), role, list(parts), None))

    def result(self, call_id: str, value: Any = "noon") -> None:
        named = {"tool_call_id": call_id, "tool_name": "current_time"}
        self.add("tool", {"type": "tool-result", **named, "result": value})

    async def answer(self, *blocks: Block, **more: Any) -> Finish:
        """One step, in which the vendor answers with these blocks."""
        self.server.reply(sse(stream(*blocks, **more)))
        builder, _ = await self.step()
        assert builder.finish is not None
        self.add("assistant", *builder.finished().parts)
        return builder.finish

    async def step(self) -> tuple[AnswerBuilder, list[ModelEvent]]:
        """One request with the rows there are."""
        request = assemble(self.rows, self.facts, TOOLS)
        builder = AnswerBuilder(lambda: NOON)
        events: list[ModelEvent] = []
        async with self.provider.stream(request) as streamed:
            async for event in streamed:
                events.append(event)
                builder.add(event)
        return builder, events

    @property
    def sent(self) -> dict[str, Any]:
        """The newest request."""
        return self.server.received[-1].body

    def sent_blocks(self, index: int) -> list[Block]:
        """The blocks of a message of the newest request, without cache marks."""
        blocks: list[Block] = self.sent["messages"][index]["content"]
        return [{key: value for key, value in block.items() if key != "cache_control"} for block in blocks]
