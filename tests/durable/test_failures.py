"""What a reader is shown of failing model calls: each word once, and the same error that a GET finds."""

from pathlib import Path
from typing import Any

import pytest

from activities.providers.demo import DemoModel, script_block
from cli.stack import Stack
from tests.durable.caller import Caller, Reader
from tests.durable.processes import ToolWorker
from tests.durable.saying import WORDS, held


def previews(reader: Reader) -> list[str]:
    """What stood on the reader's screen, after each event."""
    shown, now = list[str](), ""
    for event in reader.seen:
        match event["type"]:
            case "message_part":
                now += event["message_part"]["part"].get("text", "")
            case "preview_reset":
                now = ""
            case "message" if event["message"]["role"] == "assistant":
                now = ""
            case _:
                continue
        shown.append(now)
    return shown


async def test_nothing_is_shown_twice_after_a_retry_wherever_it_is_read(
    caller: Caller, hasty: Caller, model: DemoModel
):
    faults: list[dict[str, Any]] = [
        {"kind": "error_event", "after_pieces": 4, "of": "text"},
        {"kind": "cut", "after_pieces": 6},
    ]
    said = held("read-twice", 1, every_seconds=0.02, fault=faults)
    chat = await caller.create(said)
    readers = caller.read(chat), hasty.read(chat)
    for reader in readers:
        await reader.until(lambda r: r.preview)
    model.release("read-twice")
    for reader in readers:
        await reader.rested()
        await caller.agree(reader, chat, [said], [WORDS])
        assert [text for text in previews(reader) if not WORDS.startswith(text)] == []
        retries = [event["retry"] for event in reader.seen if event["type"] == "retry"]
        assert [(r["attempt"], r["delay_ms"], r["kind"]) for r in retries] == [
            (1, 1000, "overloaded"),
            (2, 2000, "timeout"),
        ]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "status", "status": 401}, "auth"),
        ({"kind": "error_event", "after_pieces": 3, "error_type": "invalid_request_error"}, "generic"),
    ],
)
async def test_the_error_in_a_get_is_the_one_on_the_stream(caller: Caller, fault: dict[str, Any], kind: str):
    said = script_block({"text": WORDS, "pieces": 10, "fault": [{**fault, "message": "no"}]})
    chat = await caller.create(said)
    live = caller.read(chat)
    await live.rested(0)
    late = caller.read(chat)
    await late.rested(0)
    stored = (await caller.http.get(f"{caller.url}/{chat}")).json()["last_error"]
    assert (stored["kind"], stored["provider"], stored["retryable"]) == (kind, "demo", False)
    for reader in (live, late):
        await reader.until(lambda r: [event for event in r.seen if event["type"] == "error"])
        assert [event["error"] for event in reader.seen if event["type"] == "error"] == [stored]
        await reader.until(lambda r: r.preview == "")


async def test_behind_the_last_attempt_a_get_says_what_the_stream_said(
    perdure: Stack, caller: Caller, tmp_path: Path
):
    await perdure.stop("worker")
    impatient = ToolWorker(perdure, tmp_path, PERDURE_MAX_MODEL_ATTEMPTS="2")
    await impatient.start()
    try:
        fault = {
            "kind": "error_event",
            "after_pieces": 3,
            "error_type": "overloaded_error",
            "message": "busy",
        }
        said = script_block({"text": WORDS, "pieces": 10, "fault": [fault, fault]}) + " given up"
        chat = await caller.create(said)
        live = caller.read(chat)
        await live.until(lambda r: r.status == "error" and r.preview == "")
        late = caller.read(chat)
        await late.until(lambda r: r.status == "error")
        stored = (await caller.http.get(f"{caller.url}/{chat}")).json()["last_error"]
        assert (stored["kind"], stored["retryable"]) == ("overloaded", False)
        assert "Gave up after 2 attempts" in stored["message"]
        for reader in (live, late):
            await reader.until(lambda r: [event for event in r.seen if event["type"] == "error"])
            assert [event["error"] for event in reader.seen if event["type"] == "error"] == [stored]
            await caller.agree(reader, chat, [said], [])
        assert [e["retry"]["attempt"] for e in live.seen if e["type"] == "retry"] == [1]
        assert "retry" not in [event["type"] for event in late.seen]
    finally:
        await impatient.stop()
        await perdure.start("worker")


async def test_what_a_failed_attempt_has_shown_is_taken_back(caller: Caller, model: DemoModel):
    fault = {"kind": "error_event", "after_pieces": 3, "error_type": "invalid_request_error", "message": "no"}
    hold = {"name": "shown", "after_pieces": 3}
    said = script_block({"text": WORDS, "pieces": 10, "hold": hold, "fault": [fault]})
    chat = await caller.create(said)
    reader = caller.read(chat)
    await model.reached("shown")
    await reader.until(lambda r: "two" in r.preview)
    model.release("shown")
    await reader.until(lambda r: r.status == "error" and r.preview == "")
    await caller.agree(reader, chat, [said], [])
