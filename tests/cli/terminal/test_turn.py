"""What a person sees of a turn."""

from collections.abc import Sequence
from typing import Any

from cli.terminal.shown import Asked, Called, Failed, Noted, Returned, Said, Shown, Thought, Void
from cli.terminal.turn import AFTER_FAILURE, CORRECTED, STOPPED, WORKER_LOST, TurnView
from perdure.client.events import WireEvent as Event
from perdure.client.events import parse_event
from perdure.client.novelty import Novelty

WHEN = "2026-01-01T00:00:00Z"
RESET = parse_event({"type": "preview_reset"})


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def reasoning(words: str) -> dict[str, Any]:
    return {"type": "reasoning", "text": words}


CALL: dict[str, Any] = {
    "type": "tool-call",
    "tool_call_id": "t1",
    "tool_name": "clock",
    "args": {"zone": "UTC"},
}
DELTA: dict[str, Any] = {"type": "tool-call", "tool_call_id": "t1", "tool_name": "clock", "args_delta": "{"}
RESULT: dict[str, Any] = {"type": "tool-result", "tool_call_id": "t1", "tool_name": "clock", "result": "noon"}


def event(kind: str, **payload: Any) -> Event:
    return parse_event({"type": kind, **payload})


def parts(*contents: dict[str, Any], history: int = 1, attempt: int = 1, first: int = 1) -> list[Event]:
    return [
        event(
            "message_part",
            message_part={
                "role": "assistant",
                "part": content,
                "history_version": history,
                "generation_attempt": attempt,
                "seq": seq,
            },
        )
        for seq, content in enumerate(contents, first)
    ]


def message(number: int, role: str, *content: dict[str, Any]) -> Event:
    row = {"id": number, "chat_id": "c", "role": role, "created_at": WHEN, "content": list(content)}
    return event("message", message=row)


def status(value: str) -> Event:
    return event("status", status={"status": value})


def seen(view: TurnView, events: Sequence[Event]) -> list[Shown]:
    """What the view shows of these events, with words that go on joined."""
    novelty = Novelty()
    joined: list[Shown] = []
    for shown in (s for e in events for new in novelty.filter(e) for s in view.show(new)):
        match joined[-1:], shown:
            case [Said(before)], Said(words):
                joined[-1] = Said(before + words)
            case [Thought(before)], Thought(words):
                joined[-1] = Thought(before + words)
            case _:
                joined.append(shown)
    return joined


def test_a_turn_of_two_steps_is_shown_as_it_goes_and_nothing_twice() -> None:
    view = TurnView(own_messages=1)
    events = [
        message(1, "user", text("what time is it?")),
        status("running"),
        *parts(reasoning("hm "), reasoning("well"), text("let me "), text("look"), DELTA, CALL),
        message(2, "assistant", reasoning("hm well"), text("let me look"), CALL),
        RESET,
        message(3, "tool", RESULT),
        RESET,
        *parts(text("it is "), text("noon"), history=3),
        message(4, "assistant", text("it is noon")),
        status("waiting"),
    ]
    assert seen(view, events) == [
        Thought("hm well"),
        Said("let me look"),
        Called("clock", {"zone": "UTC"}),
        Returned("clock", "noon", is_error=False),
        Said("it is noon"),
    ]
    assert view.over
    assert not view.failed


def test_a_file_that_a_tool_attaches_is_told_of_once_and_voids_nothing() -> None:
    file: dict[str, Any] = {"type": "file", "file_id": "f1", "media_type": "image/png", "name": "plot.png"}
    live = [
        *parts(CALL),
        message(2, "assistant", CALL),
        RESET,
        *parts(file, RESULT, history=2),
        message(2, "assistant", CALL, file),
        message(3, "tool", RESULT),
        RESET,
        *parts(text("done"), history=3),
        message(4, "assistant", text("done")),
        status("waiting"),
    ]
    shown = [
        Called("clock", {"zone": "UTC"}),
        Noted("attached: plot.png"),
        Returned("clock", "noon", is_error=False),
        Said("done"),
    ]
    assert seen(TurnView(), live) == shown
    assert seen(TurnView(previews=False), live) == shown
    late = [
        message(2, "assistant", CALL, file),
        message(3, "tool", RESULT),
        message(4, "assistant", text("done")),
    ]
    assert seen(TurnView(), late) == shown


def test_a_replay_after_a_reconnect_does_not_double_text() -> None:
    shown = parts(text("one "), text("two "))
    events = [status("running"), *shown, status("running"), RESET, *shown, *parts(text("three"), first=3)]
    assert seen(TurnView(), events) == [Said("one two three")]


def test_a_lost_worker_voids_what_was_shown_and_the_step_is_shown_anew() -> None:
    events = [*parts(text("one "), text("two ")), RESET, *parts(text("one "), text("two three"), attempt=2)]
    assert seen(TurnView(), events) == [Said("one two "), Void(WORKER_LOST), Said("one two three")]


def test_a_failed_call_is_told_with_its_delay_and_is_no_lost_worker() -> None:
    retry = event("retry", retry={"attempt": 2, "delay_ms": 4000, "error": "The model is overloaded."})
    events = [*parts(text("one ")), retry, RESET, *parts(text("one two"), attempt=2)]
    assert seen(TurnView(), events) == [
        Said("one "),
        Noted("The model is overloaded. Trying again in 4 s (failure 2)."),
        Void(AFTER_FAILURE),
        Said("one two"),
    ]


def test_a_message_after_a_partial_preview_shows_only_the_rest() -> None:
    events = [
        *parts(reasoning("hm"), text("one ")),
        message(2, "assistant", reasoning("hm"), text("one two"), CALL),
    ]
    assert seen(TurnView(), events) == [Thought("hm"), Said("one two"), Called("clock", {"zone": "UTC"})]


def test_a_message_that_its_preview_does_not_begin_is_shown_whole() -> None:
    events = [*parts(text("one ")), message(2, "assistant", text("two"))]
    assert seen(TurnView(), events) == [Said("one "), Void(CORRECTED), Said("two")]


def test_blocks_of_nothing_but_space_are_streamed_and_not_kept() -> None:
    events = [
        *parts(text("\n"), reasoning("hm"), text("one\n")),
        message(2, "assistant", reasoning("hm"), text("one")),
    ]
    assert seen(TurnView(), events)[1:] == [Thought("hm"), Said("one\n")]


def test_without_previews_only_what_is_kept_is_shown() -> None:
    events = [
        *parts(text("one ")),
        RESET,
        *parts(text("uno"), attempt=2),
        message(2, "assistant", text("uno dos")),
    ]
    assert seen(TurnView(previews=False), events) == [Said("uno dos")]


def test_an_interrupted_turn_keeps_what_was_shown_and_says_that_it_was_stopped() -> None:
    view = TurnView()
    events = [
        *parts(text("one "), text("two ")),
        status("interrupting"),
        message(2, "assistant", text("one two ")),
        status("waiting"),
    ]
    assert seen(view, events) == [Said("one two "), Noted(STOPPED)]
    assert view.over
    assert view.stopped


def test_an_interruption_too_fast_to_be_seen_is_known_to_whoever_asked_for_it() -> None:
    view = TurnView()
    assert list(view.stop_asked()) == []
    assert seen(view, [status("waiting")]) == [Noted(STOPPED)]


def test_an_interruption_whose_turn_is_over_before_the_answer_to_it_is_told_once() -> None:
    view = TurnView()
    assert seen(view, [status("waiting")]) == []
    assert list(view.stop_asked()) == [Noted(STOPPED)]
    assert view.stopped
    assert list(view.stop_asked()) == []


def test_a_turn_that_failed_is_over_when_the_reason_has_come() -> None:
    view = TurnView()
    assert seen(view, [*parts(text("one ")), status("error")]) == [Said("one ")]
    assert not view.over
    error = event("error", error={"message": "No key is set.", "detail": "Set one."})
    assert seen(view, [error]) == [Failed("No key is set.\nSet one.")]
    assert view.over
    assert view.failed


def test_a_queued_message_goes_on_with_its_own_turn() -> None:
    view = TurnView()
    events = [
        message(2, "assistant", text("first answer")),
        message(3, "user", text("second"), {"type": "file-reference", "file_name": "a.py"}),
        *parts(text("second answer"), history=3),
    ]
    assert seen(view, events) == [Said("first answer"), Asked("second\n[a.py]"), Said("second answer")]
    assert not view.over


def test_a_history_that_comes_anew_is_not_shown_twice() -> None:
    answer = message(2, "assistant", text("answer"))
    assert seen(TurnView(), [answer, event("history_reset"), answer]) == [Said("answer")]
