"""Files that tools attach: the chat's once the result is recorded, shown and kept before it, never twice."""

import socket
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.testing import ActivityEnvironment

from activities.providers.demo import script_block
from activities.tool_call import ToolCalls
from activities.tool_files import ToolFiles
from activities.tools.attaching import attachment
from activities.tools.registry import ToolRegistry
from activities.tools.tool import Result, Tool, ToolContext, WithFiles
from models.chat_state import ToolCallRef
from models.store.blobs import PostgresBlobs
from models.store.file_links import FILES_PER_CHAT
from models.store.files import files_of_chat, give_up
from models.store.steps import commit_results
from models.store.tables import files
from models.store.tool_results import record_result
from models.store.transcripts import read_transcript
from models.turns import ResultsCommit, ToolEnd, ToolRun
from runtime.blobs import S3Blobs
from tests.activities.bench import Bench
from workflows.chat.events import InterruptAsked, StepStopped


class Drawing(BaseModel):
    names: list[str]


async def draw(arguments: Drawing, context: ToolContext) -> Result:
    drawn = [attachment(name, f"drawing {name}".encode()) for name in arguments.names]
    return WithFiles({"ids": [str(file.id) for file in drawn]}, tuple(drawn))


@dataclass
class Asked:
    """A step that has asked for drawings, and what runs each call."""

    bench: Bench
    means: ToolCalls
    runs: list[ToolRun]

    async def draw(self, number: int, means: ToolCalls | None = None) -> None:
        ran = await ActivityEnvironment().run((means or self.means).run_tool, self.runs[number])
        assert ran is ToolEnd.FINISHED
        await self.bench.live.drain()

    async def commit(self) -> None:
        run = self.runs[0]
        await commit_results(
            self.bench.chat.engine, ResultsCommit(chat_id=run.chat_id, turn=run.turn, step=run.step)
        )

    async def names(self) -> list[str]:
        """Files that the chat has, in the order in which they came."""
        return [
            file.name for file in reversed(await files_of_chat(self.bench.chat.engine, self.bench.chat.chat))
        ]

    async def shown(self) -> list[tuple[int, str, str]]:
        """What of the tools is on the stream: number, role, and the file's name or the call's id."""
        shown = await self.bench.shown()
        newest = max(episode for episode, *_ in shown)
        return [
            (seq, role, part.get("name") or part["tool_call_id"])
            for episode, seq, role, part in shown
            if episode == newest
        ]


async def asked(bench: Bench, *calls: list[str]) -> Asked:
    bench.tools = ToolRegistry([Tool("draw", "Draw.", Drawing, draw, repeatable=True)])
    step: dict[str, Any] = {"tools": [{"name": "draw", "input": {"names": names}} for names in calls]}
    outcome = await bench.call(await bench.begin(script_block(step)))
    runs = [
        ToolRun(chat_id=bench.chat.chat, turn=3, step=2, call=ToolCallRef(**ref.stored()))
        for ref in outcome.state.open_calls
    ]
    return Asked(bench, bench.tool_calls, runs)


async def states(engine: AsyncEngine, owner: UUID) -> list[str]:
    async with engine.connect() as conn:
        return sorted(await conn.scalars(select(files.c.state).where(files.c.owner_id == owner)))


async def test_files_come_before_the_result_live_and_in_call_order_in_history(bench: Bench):
    step = await asked(bench, ["a.txt", "b.txt"], ["c.txt"])
    first, second = (run.call.id for run in step.runs)
    await step.draw(1)
    await step.draw(0)
    after_the_answer = await step.shown()
    assert [(role, name) for _, role, name in after_the_answer][-5:] == [
        ("assistant", "c.txt"),
        ("tool", second),
        ("assistant", "a.txt"),
        ("assistant", "b.txt"),
        ("tool", first),
    ]
    before = (await bench.chat.history())[-1]
    await step.commit()
    answer, *told = (await bench.chat.history())[-3:]
    assert answer["id"] == before["id"]
    assert answer["revision"] == told[0]["revision"] > before["revision"]
    assert answer["content"][: len(before["content"])] == before["content"]
    added = answer["content"][len(before["content"]) :]
    assert [part["name"] for part in added] == ["a.txt", "b.txt", "c.txt"]
    assert {(part["type"], part["media_type"]) for part in added} == {("file", "text/plain")}
    assert [row["content"][0]["tool_call_id"] for row in told] == [first, second]
    assert told[0]["content"][0]["result"] == {"ids": [part["file_id"] for part in added[:2]]}
    assert await PostgresBlobs(bench.chat.engine).get(UUID(added[2]["file_id"])) == b"drawing c.txt"
    assert await step.names() == ["c.txt", "a.txt", "b.txt"]


async def test_what_is_attached_is_not_sent_to_the_model(bench: Bench):
    step = await asked(bench, ["a.txt"])
    await step.draw(0)
    await step.commit()
    transcript = await read_transcript(bench.chat.engine, bench.chat.chat)
    filled = await bench.attachments.fill(bench.chat.chat, transcript)
    (part,) = [part for row in filled for part in row.parts if part["type"] == "file"]
    assert "data" not in part


async def test_a_call_that_is_run_again_attaches_nothing_twice(bench: Bench):
    step = await asked(bench, ["a.txt"])
    await step.draw(0)
    await step.draw(0)
    await step.commit()
    await step.commit()
    answer, _ = (await bench.chat.history())[-2:]
    assert [part["name"] for part in answer["content"] if part["type"] == "file"] == ["a.txt"]
    assert await states(bench.chat.engine, bench.chat.owner) == ["ready"]


async def test_what_an_attempt_has_stored_that_died_before_its_result_is_nobody_s(bench: Bench):
    step = await asked(bench, ["a.txt"])
    drawn = await draw(Drawing(names=["a.txt"]), ToolContext(bench.chat.chat, "3.2.x"))
    assert isinstance(drawn, WithFiles)
    await step.means.files.store(bench.chat.chat, drawn.files)
    assert await step.names() == []
    await step.draw(0)
    assert await step.names() == ["a.txt"]
    assert await states(bench.chat.engine, bench.chat.owner) == ["arriving", "ready"]
    gone = await give_up(bench.chat.engine, arriving_seconds=-1, unused_seconds=3600, limit=1000)
    assert drawn.files[0].id in gone
    assert await step.names() == ["a.txt"]


async def test_of_two_attempts_at_once_the_files_of_one_count(bench: Bench):
    step = await asked(bench, ["a.txt"])
    run = step.runs[0]
    drawings = [await draw(Drawing(names=["a.txt"]), ToolContext(run.chat_id, "3.2.x")) for _ in range(2)]
    parts: list[list[dict[str, Any]]] = []
    for drawn in drawings:
        assert isinstance(drawn, WithFiles)
        parts.append(await step.means.files.store(run.chat_id, drawn.files))
    for stored in parts:
        result = {"type": "tool-result", "tool_call_id": run.call.id, "tool_name": "draw", "result": stored}
        await record_result(bench.chat.engine, run, result, files=stored)
    await step.commit()
    answer, told = (await bench.chat.history())[-2:]
    assert [part for part in answer["content"] if part["type"] == "file"] == parts[0]
    assert told["content"][0]["result"] == parts[0]
    assert await states(bench.chat.engine, bench.chat.owner) == ["arriving", "ready"]


async def test_a_chat_keeps_the_files_linked_last_those_of_tools_among_them(bench: Bench):
    step = await asked(bench, ["new.txt"])
    old = [await bench.chat.add_file(linked=True) for _ in range(FILES_PER_CHAT)]
    async with bench.chat.engine.begin() as conn:
        await conn.execute(update(files).where(files.c.id.in_(old)).values(linked_at=func.now()))
    await step.draw(0)
    names = await step.names()
    assert (len(names), names.count("new.txt")) == (FILES_PER_CHAT, 1)


async def test_an_interrupted_step_keeps_the_files_of_the_tools_that_had_finished(bench: Bench):
    step = await asked(bench, ["a.txt"], ["b.txt"])
    await step.draw(1)
    await bench.chat.commit(InterruptAsked(), "stop")
    await bench.chat.commit(StepStopped(), "stopped")
    answer, stopped, kept = (await bench.chat.history())[-3:]
    assert [part["name"] for part in answer["content"] if part["type"] == "file"] == ["b.txt"]
    assert stopped["content"][0]["is_error"]
    assert kept["content"][0]["tool_call_id"] == step.runs[1].call.id


async def test_where_files_cannot_be_stored_the_result_says_so(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key-secret")
    step = await asked(bench, ["a.txt"])
    away = ToolFiles(bench.chat.engine, S3Blobs("s3://files"), patience_seconds=0.3)
    await step.draw(0, replace(step.means, files=away))
    await step.commit()
    answer, told = (await bench.chat.history())[-2:]
    assert told["content"][0]["is_error"]
    assert "cannot be stored" in told["content"][0]["result"]
    assert all(part["type"] != "file" for part in answer["content"])
    assert await states(bench.chat.engine, bench.chat.owner) == ["arriving"]
