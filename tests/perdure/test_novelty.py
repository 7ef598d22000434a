"""A resumed stream brings everything once, and resets only what is really void."""

from typing import Any

from perdure.client.events import WireEvent, parse_event
from perdure.client.novelty import Novelty


def event(kind: str, **payload: Any) -> WireEvent:
    return parse_event({"type": kind, "chat_id": "c", **payload})


def part(text: str, seq: int, attempt: int = 1, history: int = 1) -> WireEvent:
    piece = {
        "role": "assistant",
        "part": {"type": "text", "text": text},
        "history_version": history,
        "generation_attempt": attempt,
        "seq": seq,
    }
    return event("message_part", message_part=piece)


def message(number: int, text: str = "words") -> WireEvent:
    row = {
        "id": number,
        "chat_id": "c",
        "role": "assistant",
        "created_at": "2026-01-01T00:00:00Z",
        "content": [{"type": "text", "text": text}],
    }
    return event("message", message=row)


def status(value: str) -> WireEvent:
    return event("status", status={"status": value})


RESET = event("preview_reset")
HISTORY_RESET = event("history_reset")


def passed(*events: WireEvent) -> list[WireEvent]:
    novelty = Novelty()
    return [new for one in events for new in novelty.filter(one)]


def test_a_replay_after_a_reconnect_brings_nothing_twice() -> None:
    first = [status("running"), part("one ", 1), part("two ", 2)]
    replay = [status("running"), RESET, part("one ", 1), part("two ", 2), part("three", 3)]
    assert passed(*first, *replay) == [*first, part("three", 3)]


def test_a_reset_is_passed_on_when_another_attempt_follows() -> None:
    assert passed(part("one", 1), RESET, part("uno", 1, attempt=2)) == [
        part("one", 1),
        RESET,
        part("uno", 1, attempt=2),
    ]


def test_another_attempt_is_a_reset_even_if_that_event_was_missed() -> None:
    assert passed(part("one", 1), part("uno", 1, attempt=2))[1] == RESET


def test_parts_of_an_older_attempt_are_dropped() -> None:
    new = part("uno", 1, attempt=2)
    assert passed(new, part("two", 2, attempt=1)) == [new]


def test_a_reset_after_a_commit_is_passed_on_at_once() -> None:
    events = [part("one", 1), message(7), RESET]
    assert passed(*events) == events


def test_a_reset_with_nothing_to_reset_is_dropped() -> None:
    assert passed(message(7), status("running"), RESET) == [message(7), status("running")]


def test_a_message_comes_again_only_if_it_changed() -> None:
    assert passed(message(7), message(7), message(7, "edited")) == [message(7), message(7, "edited")]


def test_after_a_history_reset_all_messages_are_new() -> None:
    events = [message(7), HISTORY_RESET, message(7)]
    assert passed(*events) == events


def test_the_same_error_in_a_later_turn_is_news() -> None:
    error = event("error", error={"message": "overloaded"})
    turn = [status("running"), status("error"), error]
    assert passed(*turn, error, *turn) == [*turn, *turn]


def test_what_is_unknown_is_passed_on_whole_and_every_time() -> None:
    unknown = event("mood", mood={"colour": "blue"})
    assert passed(unknown, unknown) == [unknown, unknown]
    assert unknown.to_json() == {"type": "mood", "chat_id": "c", "mood": {"colour": "blue"}}


def test_a_message_behind_the_remembered_ones_costs_no_memory() -> None:
    novelty = Novelty()
    for number in range(1, 3001):
        assert list(novelty.filter(message(number)))
    assert not list(novelty.filter(message(3000)))
    assert len(novelty._messages) == 1000  # pyright: ignore[reportPrivateUsage]
