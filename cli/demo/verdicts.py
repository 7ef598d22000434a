"""The claims of the demonstration, each held against what was seen on the screen, by GET and in Postgres."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cli.demo import words
from cli.demo.checks import Check, same
from cli.demo.records import Records
from cli.demo.watching import Watch
from perdure.client import ChatInfo, Message


@dataclass(frozen=True, slots=True)
class Got:
    """What the API answers to GET."""

    chat: ChatInfo
    messages: list[Message]


def survival(watch: Watch, workers: Sequence[int | None]) -> Iterator[Check]:
    """That the answer went on, and how it looked.

    Args:
        watch: What the reader saw.
        workers: Process ids of the worker, before and after.
    """
    before, after = workers
    replaced = after is not None and before != after
    yield Check("another worker took over", replaced, f"process {after} after {before}")
    cut = watch.voided[0] if watch.voided else ""
    yield _in_the_middle("the answer was cut in the middle", cut, words.SURVIVING)
    attempts = [part.attempt for part in watch.parts]
    once = len(watch.voided) == 1 and attempts == sorted(attempts)
    yield Check("the reader was told once to forget it", once, "" if once else f"{len(watch.voided)} times")
    shown = list(watch.answers.values())
    yield same("the new answer ended whole on the screen", words.SURVIVING, shown[-1] if shown else "")


def agreement(watch: Watch, got: Got, records: Records) -> Iterator[Check]:
    """That screen, API and database tell the same, and nothing twice."""
    by_get = {message.id: message.text for message in got.messages}
    answers = {m.id: m.text for m in got.messages if m.role == "assistant"}
    yield same("what was streamed is what GET answers", watch.answers, answers)
    yield same("what GET answers is what Postgres holds", by_get, {row.id: row.text for row in records.rows})
    yield same("the stream brought each message once", [row.id for row in records.rows], watch.message_ids)
    users = [row for row in records.rows if row.role == "user"]
    yield same("there is exactly one message of the user", 1, len(users))
    turn = [("user", 0), ("assistant", 1), ("tool", 1), ("assistant", 2)]
    yield same("each step is in history once", turn, [(row.role, row.step) for row in records.rows])
    ends = [(step.step, step.end) for step in records.steps]
    yield same("each step was committed once", [(1, "committed"), (2, "committed")], ends)
    yield same("the tool ran once", 1, records.results)
    yield same("the chat rests", ["waiting", "waiting"], [got.chat.status, records.status])


def interruption(watch: Watch, records: Records) -> Iterator[Check]:
    """That the partial answer was kept, as it was shown."""
    kept = [row for row in records.of_turn(2) if row.role == "assistant"]
    text = kept[0].text if kept else ""
    yield _in_the_middle("the answer ends in the middle", text, words.INTERRUPTED)
    shown = list(watch.answers.values())
    yield same("what was shown of it is what Postgres keeps", shown, [row.text for row in kept])
    ends = [step.end for step in records.steps if step.turn == 2]
    yield same("it was committed once, as interrupted", ["interrupted"], ends)
    yield same("the chat rests again", "waiting", records.status)


def _in_the_middle(claim: str, part: str, whole: str) -> Check:
    holds = bool(part) and whole.startswith(part) and part != whole
    return Check(claim, holds, f"after {len(part.split())} of {len(whole.split())} words")
