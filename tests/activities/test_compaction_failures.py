"""Compactions that cannot be stored, and what one that a person asked for leaves alone."""

import asyncio
from collections.abc import MutableMapping, MutableSequence
from typing import Any

import pytest
from sqlalchemy import func
from structlog.testing import capture_logs

from models.chat_state import StateName
from models.compaction import CompactionReason
from tests.activities.bench import Bench, counted
from tests.activities.test_compaction import compact, compactions, set_row
from tests.durable.refusals import RAISED, SERIALIZATION_FAILURE, refused
from tests.durable.rows import until

REFUSED = {"kind": "status", "status": 401, "message": "no"}


def summaries(result: str) -> float:
    return counted("compaction_total", result=result)


async def asked_for(bench: Bench, reason: CompactionReason) -> None:
    """A chat whose conversation is to be summarized."""
    await bench.begin("a question")
    await bench.chat.say("an answer", role="assistant", turn=3, step=1)
    manual = reason is CompactionReason.MANUAL
    due: dict[str, Any] = {"compaction_requested_at": func.now()} if manual else {"compaction_due": reason}
    await set_row(bench, turn_ended=reason is not CompactionReason.OVERFLOW, **due)


async def waiting(logs: MutableSequence[MutableMapping[str, Any]]) -> list[Any]:
    return [line for line in logs if "waits for the database" in line["event"]]


def of_the_chat(bench: Bench) -> tuple[str, str, str]:
    return "BEFORE INSERT ON messages", f"chat_id = '{bench.chat.chat}'", "content"


@pytest.mark.parametrize(
    ("reason", "after"),
    [
        (CompactionReason.MANUAL, StateName.E0),
        (CompactionReason.OVERFLOW, StateName.E0),
        (CompactionReason.THRESHOLD, StateName.W),
    ],
)
async def test_a_summary_that_will_never_be_stored_is_paid_for_once(
    bench: Bench, reason: CompactionReason, after: StateName
):
    await asked_for(bench, reason)
    errors = summaries("error")
    async with refused(bench.chat.engine, *of_the_chat(bench), RAISED):
        state = await compact(bench, step=1, manual=reason is CompactionReason.MANUAL)
    assert (state.name, state.compaction) == (after, None)
    assert len(bench.model.requests) == 1
    assert summaries("error") == errors + 1
    error = (await bench.chat.row())["last_error"]
    assert (error is not None) == (after is StateName.E0)
    assert "INSERT" not in str(error)


async def test_a_model_that_fails_or_is_too_slow_is_counted_as_such(bench: Bench):
    await asked_for(bench, CompactionReason.THRESHOLD)
    errors, timeouts = (
        summaries("error"),
        summaries("timeout"),
    )
    bench.model.order_fault(REFUSED)
    await compact(bench, step=1)
    assert (summaries("error"), summaries("timeout")) == (
        errors + 1,
        timeouts,
    )
    await set_row(bench, compaction_due=CompactionReason.THRESHOLD, status="running")
    bench.model.order_fault({"kind": "stall", "after_pieces": 1})
    await compact(bench, compactions(bench, timeout_seconds=0.3), step=1)
    assert (summaries("error"), summaries("timeout")) == (
        errors + 1,
        timeouts + 1,
    )


async def test_an_attempt_that_cannot_even_begin_ends_the_compaction(bench: Bench):
    await asked_for(bench, CompactionReason.MANUAL)
    attempt = f"id = '{bench.chat.chat}' AND NEW.compaction_requested_at IS NOT NULL"
    async with refused(bench.chat.engine, "BEFORE UPDATE ON chats", attempt, "generation_attempt", RAISED):
        state = await compact(bench, step=1, manual=True)
    assert state.name is StateName.E0
    assert bench.model.requests == []


async def test_a_summary_waits_for_a_database_that_is_away_for_a_moment(bench: Bench):
    await asked_for(bench, CompactionReason.MANUAL)
    bench.model.order_fault({"kind": "stall", "name": "stored", "after_pieces": 1})
    running = asyncio.create_task(compact(bench, step=1, manual=True))
    await bench.model.received(1)
    async with refused(bench.chat.engine, *of_the_chat(bench), SERIALIZATION_FAILURE):
        with capture_logs() as logs:
            bench.model.release("stored")
            await until(lambda: waiting(logs))
    assert (await running).name is StateName.W
    assert len(bench.model.requests) == 1


@pytest.mark.parametrize("way", ["done", "fails"])
async def test_the_turn_before_a_requested_one_keeps_its_label(bench: Bench, way: str):
    await asked_for(bench, CompactionReason.MANUAL)
    await set_row(bench, last_turn_summary="Read one script")
    if way == "fails":
        bench.model.order_fault(REFUSED)
    state = await compact(bench, step=1, manual=True)
    assert state.name is (StateName.E0 if way == "fails" else StateName.W)
    assert (await bench.chat.row())["last_turn_summary"] == "Read one script"
