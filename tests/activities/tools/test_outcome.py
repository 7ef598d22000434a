"""What comes of a call: whatever a tool does, and however long its answer is."""

import asyncio

import pytest
from pydantic import BaseModel, JsonValue

from activities.tools.outcome import MAX_MEDIA_CHARACTERS, ToolOutcome, outcome_of, truncated
from activities.tools.registry import ToolRegistry
from activities.tools.tool import Media, OutcomeUnknown, Result, Tool, ToolContext
from models.tool_output import budget_bytes
from tests.activities.tools.calling import CONTEXT, called


class Nothing(BaseModel):
    pass


def tool(run: object, *, repeatable: bool = False, **more: object) -> ToolRegistry:
    return ToolRegistry([Tool("it", "It.", Nothing, run, repeatable, **more)])  # pyright: ignore[reportArgumentType]


async def test_a_tool_that_takes_too_long_is_stopped_and_cleaned_up_after():
    cancelled: list[str] = []

    async def run(arguments: Nothing, context: ToolContext) -> JsonValue:
        await asyncio.Event().wait()

    async def cancel(arguments: Nothing, context: ToolContext) -> None:
        cancelled.append(context.call_id)

    outcome = await called(tool(run, cancel=cancel, timeout_seconds=0.01), "it", {})
    assert str(outcome.result).startswith("The tool it did not finish within 0.01 s. It was stopped, but may")
    assert cancelled == [CONTEXT.call_id]
    again = await called(tool(run, repeatable=True, timeout_seconds=0.01), "it", {})
    assert again.result == "The tool it did not finish within 0.01 s."


@pytest.mark.parametrize(
    "error",
    [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), TimeoutError("own"), RecursionError()],
)
async def test_whatever_a_tool_raises_fails_that_call_only(error: BaseException):
    async def run(arguments: Nothing, context: ToolContext) -> JsonValue:
        raise error

    outcome = await called(tool(run), "it", {})
    assert outcome.is_error
    assert str(outcome.result).startswith(f"The tool it failed: {type(error).__name__}")


async def test_a_cancelled_call_is_cancelled():
    began = asyncio.Event()

    async def run(arguments: Nothing, context: ToolContext) -> JsonValue:
        began.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(called(tool(run), "it", {}))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("answer", [{1, 2}, float("nan"), object(), {"deep": [float("inf")]}, {"big": 2**64}])
async def test_an_answer_that_is_no_json_is_an_error(answer: object):
    async def run(arguments: Nothing, context: ToolContext) -> Result:
        return answer  # pyright: ignore[reportReturnType]

    assert (await called(tool(run), "it", {})).is_error


async def test_without_a_way_to_find_out_the_outcome_of_a_lost_call_is_unknown():
    async def run(arguments: Nothing, context: ToolContext) -> JsonValue:
        return "ran"

    async def look(arguments: Nothing, context: ToolContext) -> JsonValue:
        raise OutcomeUnknown("Look at the file.")

    for tools, told in (
        (tool(run), "It is not known whether it did its work"),
        (tool(run, recover=look), "Look at the file."),
    ):
        ready = tools.prepare("it", {})
        assert not isinstance(ready, ToolOutcome)
        outcome = await ready.recover(CONTEXT)
        assert (outcome.is_error, outcome.unknown) == (True, True)
        assert str(outcome.result).startswith(told)


def test_media_are_kept_as_they_are():
    outcome = outcome_of(Media("image/png", "aGVsbG8=", "a picture"))
    assert outcome.is_media
    assert outcome.result == {"media_type": "image/png", "data": "aGVsbG8=", "text": "a picture"}
    assert truncated(outcome, 10) is None


def test_of_media_only_the_text_beside_them_is_cut():
    data = "A" * 40_000
    cut = truncated(outcome_of(Media("image/png", data, "x" * 20_000)), 16_384)
    assert cut is not None
    assert cut.is_media
    assert isinstance(cut.result, dict)
    assert cut.result["data"] == data
    assert "bytes left out here" in str(cut.result["text"])


@pytest.mark.parametrize(
    ("media", "told"),
    [
        (
            Media("image/png", "A" * (2 * MAX_MEDIA_CHARACTERS)),
            "image/png of 10.0 MiB in base64; 5.0 MiB can",
        ),
        (Media("image/png", "not base64!"), "image/png that is not base64"),
        (Media("a picture", "AAAA"), "media of no type that there is: 'a picture'"),
        (Media("image/png\0", "AAAA"), "media of no type"),
    ],
)
async def test_media_that_no_model_takes_are_an_error_that_says_the_limits(media: Media, told: str):
    async def run(arguments: Nothing, context: ToolContext) -> Result:
        return media

    outcome = await called(tool(run), "it", {})
    assert (outcome.is_error, outcome.is_media) == (True, False)
    assert told in str(outcome.result)


async def test_media_of_the_greatest_size_are_shown():
    async def run(arguments: Nothing, context: ToolContext) -> Result:
        return Media("image/png", "A" * MAX_MEDIA_CHARACTERS)

    assert (await called(tool(run), "it", {})).is_media


@pytest.mark.parametrize(
    ("limit", "budget"), [(None, 65_536), (0, 65_536), (9_000, 16_384), (200_000, 199_998)]
)
def test_a_result_may_be_as_long_as_a_third_of_the_context(limit: int | None, budget: int):
    assert budget_bytes(limit) == budget


def test_a_long_text_keeps_its_head_and_its_tail():
    outcome = truncated(ToolOutcome("a" * 20_000 + "z" * 20_000), 16_384)
    assert outcome is not None
    text = str(outcome.result)
    assert text.startswith("a" * 10_752 + "\n\n[... 23872 of 40000 bytes left out here ...]\n\n")
    assert text.endswith("z" * 5_376)
    assert len(text.encode()) <= 16_384


def test_a_cut_never_divides_a_letter_and_what_is_no_text_is_cut_as_its_json():
    emoji = truncated(ToolOutcome("🦀" * 9_000), 16_385)
    assert emoji is not None
    assert "\ufffd" not in str(emoji.result)
    outcome = truncated(ToolOutcome({"output": "x" * 40_000}, is_error=True), 16_384)
    assert outcome is not None
    assert outcome.is_error
    assert str(outcome.result).startswith('{"output": "xxx')


def test_what_fits_is_left_alone_and_a_tiny_budget_cuts_hard():
    assert truncated(ToolOutcome("x" * 100), 100) is None
    cut = truncated(ToolOutcome("x" * 1000), 512)
    assert cut is not None
    assert cut.result == "x" * 512


def test_a_result_nested_too_deeply_is_refused():
    deep: JsonValue = [1]
    for _ in range(99):
        deep = [deep]
    assert outcome_of(deep).result == deep
    with pytest.raises(ValueError, match="nested more than 100 deep"):
        outcome_of([deep])
