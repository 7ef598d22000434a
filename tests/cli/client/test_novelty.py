"""A resumed stream brings everything once, and resets only what is really void."""

from cli.client.novelty import Novelty
from cli.client.shapes import Event, Message


def part(text: str, seq: int, attempt: int = 1, history: int = 1) -> Event:
    return {
        "type": "message_part",
        "chat_id": "c",
        "message_part": {
            "role": "assistant",
            "part": {"type": "text", "text": text},
            "history_version": history,
            "generation_attempt": attempt,
            "seq": seq,
        },
    }


def message(number: int, text: str = "words") -> Event:
    row: Message = {
        "id": number,
        "chat_id": "c",
        "role": "assistant",
        "created_at": "2026-01-01T00:00:00Z",
        "content": [{"type": "text", "text": text}],
    }
    return {"type": "message", "chat_id": "c", "message": row}


def status(value: str) -> Event:
    return {"type": "status", "chat_id": "c", "status": {"status": value}}


RESET: Event = {"type": "preview_reset", "chat_id": "c"}
HISTORY_RESET: Event = {"type": "history_reset", "chat_id": "c"}


def passed(*events: Event) -> list[Event]:
    novelty = Novelty()
    return [new for event in events for new in novelty.filter(event)]


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
    error: Event = {"type": "error", "chat_id": "c", "error": {"message": "overloaded"}}
    turn = [status("running"), status("error"), error]
    assert passed(*turn, error, *turn) == [*turn, *turn]
