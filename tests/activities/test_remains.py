"""What is kept of an answer that only its readers have seen."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from temporalio.testing import ActivityEnvironment

from activities.answer import AnswerBuilder, Kept, shown_as
from activities.providers.protocol import (
    BlockEnd,
    BlockMetadata,
    ModelEvent,
    ProviderResult,
    ReasoningDelta,
    Source,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
)
from activities.remains import Shown, rebuilt, shown_last
from activities.transitions import Transitions
from models.chat_state import ChatState, StateName, ToolCallRef
from models.parts import PARTS
from models.store import steps
from models.store.bundle import read_state
from models.store.steps import Begun
from models.stream import Entry, Episode, Preview, PreviewPart, WakeUp
from models.turns import Commit, Receipt, Verdict
from tests.activities.bench import Bench
from tests.activities.test_compaction import set_row
from workflows.chat.events import Event, InterruptAsked, StepStopped
from workflows.chat.machine import decide

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
STOPPED = BEGAN + timedelta(minutes=1)
SIGNED = {"anthropic": {"signature": "sig+/="}}


def second(number: int) -> datetime:
    return BEGAN + timedelta(seconds=number)


def both(*events: ModelEvent) -> tuple[Kept, Kept]:
    """What is kept by the one who was told it by the model, and what of that by its readers."""
    number = 0
    builder = AnswerBuilder(lambda: second(number))
    shown: list[Shown] = []
    for number, event in enumerate(events, 1):
        part = builder.add(event)
        if part is not None:
            shown.append(Shown(second(number), PreviewPart(len(shown) + 1, shown_as(part), part)))
    return builder.partial(STOPPED), rebuilt(shown, STOPPED)


def without_vendors(kept: Kept) -> list[dict[str, Any]]:
    return [{key: part[key] for key in part if key != "provider_metadata"} for part in kept.parts]


def test_words_thoughts_and_calls_are_what_the_interrupted_answer_would_have_been():
    told, seen = both(
        ReasoningDelta(0, "Let me "),
        ReasoningDelta(0, "think."),
        TextDelta(1, "I will "),
        TextDelta(1, "look."),
        Source(1, "https://example.com/", "Example", "s1"),
        ToolCallStart(2, "a", "look"),
        ToolCallStart(3, "b", "look"),
        ToolCallDelta(2, '{"at": '),
        ToolCallDelta(3, '{"at": "noon"'),
        ToolCallDelta(2, "null}"),
        BlockEnd(2),
    )
    thought, *rest = seen.parts
    assert thought.pop("completed_at") == second(3).isoformat().replace("+00:00", "Z"), "when the text began"
    told.parts[0].pop("completed_at")
    assert [thought, *rest] == told.parts
    assert rest[-1] == {"type": "tool-call", "tool_call_id": "b", "tool_name": "look"}, "half-written"
    assert seen.calls == told.calls == [ToolCallRef(id="a", name="look"), ToolCallRef(id="b", name="look")]
    PARTS.validate_python(seen.parts)


def test_what_was_signed_is_kept_without_its_signature():
    told, seen = both(
        ReasoningDelta(0, "hm"),
        BlockMetadata(0, SIGNED),
        BlockEnd(0),
        ReasoningDelta(1, " and"),
        TextDelta(2, "so"),
    )
    assert "provider_metadata" in told.parts[0]
    assert [(part["type"], part["text"]) for part in seen.parts] == [("reasoning", "hm and"), ("text", "so")]
    assert all("provider_metadata" not in part for part in seen.parts)


def test_what_the_vendor_ran_is_kept_with_its_result_and_left_out_without():
    search = {"query": "perdure"}
    told, seen = both(
        ToolCallStart(0, "ran", "web_search", provider_executed=True),
        ToolCallDelta(0, '{"query": "perdure"}'),
        BlockEnd(0),
        ProviderResult(1, "ran", "web_search", {"found": 1}, metadata={"anthropic": {"content": "sealed"}}),
        TextDelta(2, "found"),
        ToolCallStart(3, "running", "web_search", provider_executed=True),
        ToolCallDelta(3, '{"query": "more"}'),
        BlockEnd(3),
    )
    assert seen.parts == without_vendors(told)
    assert [part["type"] for part in seen.parts] == ["tool-call", "tool-result", "text"]
    assert seen.parts[0]["args"] == search
    assert seen.calls == []


def entries(*given: tuple[int, int, list[PreviewPart]] | int) -> list[tuple[datetime, Entry]]:
    """Entries of a stream: history version, attempt and parts; or the version of a wake-up."""
    made: list[Entry] = [
        WakeUp(entry) if isinstance(entry, int) else Preview(Episode(entry[0], entry[1]), tuple(entry[2]))
        for entry in given
    ]
    return [(second(number), entry) for number, entry in enumerate(made)]


def said(*words: str, first: int = 1) -> list[PreviewPart]:
    return [
        PreviewPart(seq, "assistant", {"type": "text", "text": word}) for seq, word in enumerate(words, first)
    ]


def words_of(shown: list[Shown]) -> list[str]:
    return [of.part.part["text"] for of in shown]


def test_the_newest_attempt_that_spoke_is_the_one_that_readers_saw():
    stream = entries(
        (3, 9, said("older")), (4, 1, said("a", "b")), 12, (4, 2, said("c")), (4, 2, said("d", first=2))
    )
    assert words_of(shown_last(stream, Episode(4, 3))) == ["c", "d"]
    assert words_of(shown_last(stream, Episode(4, 1))) == ["a", "b"]
    assert shown_last(stream, Episode(5, 1)) == []


def test_parts_published_again_count_once():
    stream = entries((4, 1, said("a")), (4, 1, said("a", "b")))
    assert words_of(shown_last(stream, Episode(4, 1))) == ["a", "b"]


def test_an_answer_without_its_beginning_or_with_a_gap_is_none():
    assert shown_last(entries((4, 1, said("b", first=2))), Episode(4, 1)) == []
    assert shown_last(entries((4, 1, [*said("a"), *said("c", first=3)])), Episode(4, 1)) == []


def test_a_summary_and_the_results_of_our_tools_are_no_answer():
    summary: dict[str, Any] = {
        "type": "tool-call",
        "tool_call_id": "s",
        "tool_name": "chat_summarized",
        "args": {},
    }
    result: dict[str, Any] = {"type": "tool-result", "tool_call_id": "a", "tool_name": "look", "result": 1}
    for part in (summary, result):
        assert shown_last(entries((4, 1, [PreviewPart(1, "assistant", part)])), Episode(4, 1)) == []


async def test_where_no_other_attempt_came_before_the_stop_its_end_keeps_what_was_seen(bench: Bench):
    call = await bench.begin("hello")
    begun = await steps.begin_attempt(bench.chat.engine, call)
    assert isinstance(begun, Begun)
    await bench.live.append(call.chat_id, Preview(begun.episode, tuple(said("one ", "two"))))
    receipt = await interrupted(bench)
    assert (receipt.verdict, receipt.state.name) == (Verdict.STALE, StateName.W)
    last = (await bench.chat.history())[-1]
    assert (last["role"], last["content"]) == ("assistant", [{"type": "text", "text": "one two"}])
    assert last["model_config_id"] == bench.chat.model
    assert await bench.shown() == [], "what is in the rows has left the stream"


async def test_with_a_message_queued_it_is_answered_behind_what_was_seen(bench: Bench):
    call = await bench.begin("hello", StateName.R1)
    begun = await steps.begin_attempt(bench.chat.engine, call)
    assert isinstance(begun, Begun)
    await bench.live.append(call.chat_id, Preview(begun.episode, tuple(said("one ", "two"))))
    receipt = await interrupted(bench)
    assert receipt.verdict is Verdict.APPLIED
    assert receipt.state.turn == call.turn + 1
    assert [row["role"] for row in await bench.chat.history()][-2:] == ["assistant", "user"]


async def test_an_attempt_that_is_not_begun_has_shown_nothing(bench: Bench):
    call = await bench.begin("hello")
    await set_row(bench, generation_attempt=0)
    row = await bench.chat.row()
    old = Episode(row["history_version"], 1)
    await bench.live.append(call.chat_id, Preview(old, tuple(said("left over"))))
    receipt = await interrupted(bench)
    assert (receipt.verdict, receipt.state.name) == (Verdict.APPLIED, StateName.W)
    assert (await bench.chat.history())[-1]["role"] == "user"


async def interrupted(bench: Bench) -> Receipt:
    """Stop the turn, and finish that as the workflow does where nothing is running."""
    transitions = Transitions(bench.chat.engine, bench.live)

    async def apply(state: ChatState, event: Event) -> Receipt:
        commit = Commit(chat_id=bench.chat.chat, command_id=str(uuid4()), write=decide(state, event))
        return await ActivityEnvironment().run(transitions.commit_transition, commit)

    stopping = await apply(await read_state(bench.chat.engine, bench.chat.chat), InterruptAsked())
    receipt = await apply(stopping.state, StepStopped())
    await bench.live.drain()
    return receipt
