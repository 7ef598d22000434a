"""What a worker tells Prometheus, read from the worker itself."""

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from activities.providers.demo import DemoModel, script_block
from cli.stack import Stack
from tests.durable.caller import Caller

FULL = {"input_tokens": 150_000, "output_tokens": 5}
METRICS = {
    "chats": "gauge",
    "message_count": "histogram",
    "prompt_size_bytes": "histogram",
    "tool_result_size_bytes": "histogram",
    "tool_errors": "counter",
    "ttft_seconds": "histogram",
    "compaction": "counter",
    "steps": "counter",
    "stream_retries": "counter",
    "tool_result_truncated": "counter",
    # and of our own
    "turn_seconds": "histogram",
    "interrupts": "counter",
    "recoveries": "counter",
}
"""Spec chat-loop.md 1.20; on the wire names of counters end in `_total`."""

MODEL = {"provider": "demo", "model": "perdure-demo"}


async def scraped(perdure: Stack) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """All samples of the worker, by name and labels."""
    async with httpx2.AsyncClient() as http:
        answer = await http.get(f"http://127.0.0.1:{perdure.ports['worker-metrics']}/metrics")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


class Counted:
    """How much each sample has grown since the worker was looked at."""

    def __init__(self, perdure: Stack) -> None:
        self._perdure = perdure
        self._before: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        self._now: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}

    async def begin(self) -> None:
        self._before = await scraped(self._perdure)

    async def look(self) -> None:
        self._now = await scraped(self._perdure)

    def of(self, name: str, **labels: str) -> float:
        key = (f"coderd_chatd_{name}", frozenset({**MODEL, **labels}.items()))
        return self._now.get(key, 0) - self._before.get(key, 0)

    def state(self, state: str) -> float:
        return self._now["coderd_chatd_chats", frozenset({("state", state)})]


async def test_a_turn_with_a_retry_and_a_compaction_is_counted(
    perdure: Stack, caller: Caller, model: DemoModel
):
    counted = Counted(perdure)
    await counted.begin()
    hold = {"name": "metrics", "after_pieces": 1}
    fault = {"kind": "status", "status": 529}
    said = script_block({"text": "a b c", "usage": FULL, "hold": hold, "fault": [fault]}) + " metrics"
    chat = await caller.create(said)
    reader = caller.read(chat)
    await model.reached("metrics")
    await reader.until(lambda r: r.preview)
    await counted.look()
    assert (counted.state("waiting"), counted.state("streaming")) == (0, 1)
    model.release("metrics")
    await reader.rested(3)

    await counted.look()
    assert (counted.state("waiting"), counted.state("streaming")) == (0, 0)
    assert counted.of("steps_total") == 2
    assert counted.of("stream_retries_total", kind="overloaded") == 1
    assert counted.of("compaction_total", result="success") == 1
    assert counted.of("message_count_count") == 3
    assert counted.of("prompt_size_bytes_count") == 3
    assert counted.of("prompt_size_bytes_sum") > len(said)
    assert counted.of("ttft_seconds_count") == 3, "two steps and a summary"
    assert counted.of("turn_seconds_count", outcome="committed") == 1
    assert counted.of("turn_seconds_sum", outcome="committed") > 1, "the wait before the retry included"
    assert counted.of("recoveries_total") == 0, "a retry is no recovery"


async def test_interrupts_and_errors_are_counted(perdure: Stack, caller: Caller, model: DemoModel):
    counted = Counted(perdure)
    await counted.begin()
    chat = await caller.create(script_block({"text": "a b c", "hold": {"name": "cut", "after_pieces": 2}}))
    reader = caller.read(chat)
    await model.reached("cut")
    await caller.interrupt(chat)
    await reader.rested()
    model.order_fault({"kind": "status", "status": 401})
    await caller.send(chat, "hello")
    await reader.until(lambda r: r.status == "error")
    await counted.look()
    assert counted.of("interrupts_total") == 1
    assert counted.of("turn_seconds_count", outcome="interrupted") == 1
    assert counted.of("turn_seconds_count", outcome="failed") == 1


async def test_the_wait_before_a_retry_is_stopped_and_counted_once(perdure: Stack, caller: Caller):
    counted = Counted(perdure)
    await counted.begin()
    later = {"kind": "status", "status": 529, "headers": {"retry-after": "50"}}
    chat = await caller.create(script_block({"text": "a b c", "fault": [later]}) + " waits to be counted")
    reader = caller.read(chat)
    await reader.until(lambda r: [event for event in r.seen if event["type"] == "retry"])
    await caller.interrupt(chat)
    await reader.rested(answers=0)
    await counted.look()
    assert counted.of("interrupts_total") == 1
    assert counted.of("turn_seconds_count", outcome="interrupted") == 1


async def test_an_answer_that_is_stopped_with_another_waiting_is_counted_once(
    perdure: Stack, caller: Caller, model: DemoModel
):
    counted = Counted(perdure)
    await counted.begin()
    held = script_block({"text": "a b c", "hold": {"name": "counted", "after_pieces": 2}})
    chat = await caller.create(held)
    reader = caller.read(chat)
    await model.reached("counted")
    await caller.send(chat, script_block({"text": "second"}), busy="interrupt")
    await reader.rested(2)
    await counted.look()
    assert counted.of("interrupts_total") == 1
    assert counted.of("turn_seconds_count", outcome="interrupted") == 1
    assert counted.of("turn_seconds_count", outcome="committed") == 1


async def test_a_worker_tells_every_metric_there_is_to_be(perdure: Stack):
    async with httpx2.AsyncClient() as http:
        answer = await http.get(f"http://127.0.0.1:{perdure.ports['worker-metrics']}/metrics")
    found = {family.name: family for family in text_string_to_metric_families(answer.text)}
    told = {name: found[f"coderd_chatd_{name}"].type for name in METRICS if f"coderd_chatd_{name}" in found}
    assert told == METRICS


async def test_a_step_of_a_lost_worker_is_a_recovery(perdure: Stack, caller: Caller, model: DemoModel):
    chat = await caller.create(script_block({"text": "a b c", "hold": {"name": "lost", "after_pieces": 1}}))
    reader = caller.read(chat)
    await model.reached("lost")
    await perdure.kill("worker")
    model.release("lost")
    await perdure.start("worker")
    await reader.rested()
    counted = Counted(perdure)
    await counted.look()
    assert counted.of("recoveries_total") == 1
