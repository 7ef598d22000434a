"""The demonstration's checks hold for what is right, and only for that."""

import io
from collections.abc import Callable

import pytest

from cli.demo import words
from cli.demo.checks import Check, Timing, check_lines, same, timing_lines
from cli.demo.records import Records, Row, StepRow
from cli.demo.verdicts import Got, agreement, interruption, survival
from cli.demo.watching import PartSeen, Watch
from cli.terminal.printer import Printer
from perdure.client import ChatInfo, Message


def row(number: int, role: str, step: int, text: str = "", turn: int = 1) -> Row:
    return Row(number, role, turn, step, [{"type": "text", "text": text}])


def good() -> tuple[Watch, Got, Records]:
    """A first act as it should be."""
    rows = [
        row(1, "user", 0, "time?"),
        row(2, "assistant", 1, "look"),
        row(3, "tool", 1),
        row(4, "assistant", 2, words.SURVIVING),
    ]
    watch = Watch(Printer(io.StringIO(), io.StringIO()))
    watch.message_ids = [1, 2, 3, 4]
    watch.answers = {2: "look", 4: words.SURVIVING}
    watch.voided = [words.SURVIVING[:50]]
    watch.parts = [PartSeen(1.0, (3, 1)), PartSeen(2.0, (3, 2))]
    when = "2026-01-01T00:00:00Z"
    chat = ChatInfo.model_validate(
        {
            **dict.fromkeys(("id", "organization_id", "owner_id", "title"), "c"),
            **{"status": "waiting", "archived": False, "created_at": when, "updated_at": when},
        }
    )
    messages = [
        Message.model_validate(
            {"id": r.id, "chat_id": "c", "created_at": when, "role": r.role, "content": r.content}
        )
        for r in rows
    ]
    steps = [StepRow(1, 1, "committed"), StepRow(1, 2, "committed")]
    return watch, Got(chat, messages), Records("waiting", rows, steps, 1)


def failing(
    watch: Watch, got: Got, records: Records, workers: tuple[int | None, int | None] = (1, 2)
) -> set[str]:
    checks = [*survival(watch, workers), *agreement(watch, got, records)]
    return {check.claim for check in checks if not check.holds}


def test_all_checks_hold_for_a_good_run() -> None:
    assert failing(*good()) == set()


SPOILED: dict[str, Callable[[Watch, Got, Records], object]] = {
    "the answer was cut in the middle": lambda w, g, r: w.voided.clear(),
    "the reader was told once to forget it": lambda w, g, r: w.parts.append(PartSeen(3.0, (3, 1))),
    "the new answer ended whole on the screen": lambda w, g, r: w.answers.update({4: "half"}),
    "what was streamed is what GET answers": lambda w, g, r: w.answers.update({2: "loo"}),
    "what GET answers is what Postgres holds": lambda w, g, r: g.messages.pop(),
    "the stream brought each message once": lambda w, g, r: w.message_ids.append(4),
    "there is exactly one message of the user": lambda w, g, r: r.rows.append(row(5, "user", 0)),
    "each step is in history once": lambda w, g, r: r.rows.append(row(5, "assistant", 2)),
    "each step was committed once": lambda w, g, r: r.steps.pop(),
}


@pytest.mark.parametrize("claim", SPOILED)
def test_a_deviation_fails_the_check_that_names_it(claim: str) -> None:
    evidence = good()
    SPOILED[claim](*evidence)
    assert claim in failing(*evidence)


def test_a_worker_that_did_not_come_back_is_noticed() -> None:
    assert failing(*good(), workers=(1, None)) == {"another worker took over"}


@pytest.mark.parametrize(
    ("kept", "holds"), [(words.INTERRUPTED[:40], True), (words.INTERRUPTED, False), ("", False)]
)
def test_a_partial_answer_is_some_of_the_whole(kept: str, holds: bool) -> None:
    watch = Watch(Printer(io.StringIO(), io.StringIO()))
    watch.answers = {6: kept}
    rows = [row(5, "user", 0, turn=2), row(6, "assistant", 1, kept, turn=2)]
    checks = list(interruption(watch, Records("waiting", rows, [StepRow(2, 1, "interrupted")], 1)))
    assert all(check.holds for check in checks) is holds


def test_findings_are_told_with_what_was_found() -> None:
    checks = [Check("it is so", holds=True), same("they are equal", 1, 2)]
    assert check_lines(checks) == ["✓ it is so", "✗ NOT TRUE: they are equal (2 instead of 1)"]
    timings = [Timing("to stop", 0.012, aim_seconds=0.1), Timing("to start", 3.21)]
    assert timing_lines(timings) == ["   12 ms  to stop (aim: 100 ms)", "   3.2 s  to start"]
