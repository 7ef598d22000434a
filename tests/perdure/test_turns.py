"""When a question counts as answered, whatever else goes on in its chat."""

from typing import Any

import pytest

from perdure.client import Answer, MessageWithdrawn, QueuedMessage, TurnFailed
from perdure.client.events import WireEvent, parse_event
from perdure.client.turns import TurnWatch

CALL = {"type": "tool-call", "tool_call_id": "t1", "tool_name": "clock"}
QUEUED = QueuedMessage.model_validate({"id": 7, "content": [{"type": "text", "text": "mine"}]})


def event(kind: str, **payload: Any) -> WireEvent:
    return parse_event({"type": kind, "chat_id": "c", **payload})


def message(number: int, role: str, words: str, *more: dict[str, Any]) -> WireEvent:
    content = [{"type": "text", "text": words}, *more]
    row = {
        "id": number,
        "chat_id": "c",
        "role": role,
        "created_at": "2026-01-01T00:00:00Z",
        "content": content,
    }
    return event("message", message=row)


def status(value: str) -> WireEvent:
    return event("status", status={"status": value})


def queue(*ids: int) -> WireEvent:
    return event("queue_update", queued_messages=[{"id": number} for number in ids])


def outcome(watch: TurnWatch, *events: WireEvent) -> Answer | None:
    """The answer at the last of these events; none may come before."""
    *before, last = events
    assert [watch.take(one) for one in before] == [None] * len(before)
    return watch.take(last)


def test_an_answer_is_the_last_word_before_the_chat_rests() -> None:
    answer = outcome(
        TurnWatch(1),
        status("running"),
        message(2, "assistant", "look", CALL),
        message(3, "tool", ""),
        message(4, "assistant", "noon"),
        status("waiting"),
    )
    assert answer is not None
    assert answer.text == "noon"


def test_the_next_message_from_the_queue_ends_a_turn() -> None:
    answer = outcome(TurnWatch(1), message(2, "assistant", "one"), message(3, "user", "next"))
    assert answer is not None
    assert answer.text == "one"


def test_a_message_that_joins_while_tools_run_does_not() -> None:
    events = (
        message(2, "assistant", "look", CALL),
        message(3, "tool", ""),
        message(4, "user", "hurry"),
        message(5, "assistant", "noon"),
        status("waiting"),
    )
    answer = outcome(TurnWatch(1), *events)
    assert answer is not None
    assert answer.text == "noon"


def test_a_queued_message_waits_for_its_own_turn() -> None:
    answer = outcome(
        TurnWatch(None, QUEUED),
        status("running"),
        queue(6, 7),
        message(2, "assistant", "another answer"),
        message(3, "user", "theirs"),
        queue(7),
        message(4, "assistant", "their answer"),
        message(5, "user", "mine"),
        queue(),
        message(6, "assistant", "my answer"),
        status("waiting"),
    )
    assert answer is not None
    assert answer.text == "my answer"


@pytest.mark.parametrize("last", [queue(6), status("waiting")])
def test_a_queued_message_that_is_gone_was_withdrawn(last: WireEvent) -> None:
    with pytest.raises(MessageWithdrawn):
        outcome(TurnWatch(None, QUEUED), status("running"), queue(6, 7), last)


def test_the_interrupt_that_let_a_queued_message_in_is_not_its_own() -> None:
    answer = outcome(
        TurnWatch(None, QUEUED),
        status("interrupting"),
        message(5, "user", "mine"),
        status("running"),
        message(6, "assistant", "my answer"),
        status("waiting"),
    )
    assert answer is not None
    assert not answer.interrupted


def test_a_turn_that_is_stopped_before_a_word_is_answered_by_nothing() -> None:
    answer = outcome(TurnWatch(1), status("interrupting"), status("waiting"))
    assert answer == Answer(None, interrupted=True)
    assert Answer(None).text == ""


def test_a_failure_is_raised_with_its_reason() -> None:
    with pytest.raises(TurnFailed, match="overloaded") as failed:
        outcome(TurnWatch(1), status("error"), event("error", error={"message": "overloaded", "new": 1}))
    assert failed.value.failure.model_extra == {"new": 1}
