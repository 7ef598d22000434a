"""Whole requests from the rows of a chat."""

import copy
from typing import Any

from activities.prompt.assemble import NOT_RUN, ModelFacts, assemble
from activities.providers.protocol import ModelRequest, PromptMessage, ToolSpec
from models.store.transcripts import TranscriptMessage

MODEL = ModelFacts("claude-x", 1000, 500)
CLOCK = ToolSpec("current_time", "Tell the time.", {"type": "object", "properties": {}})


def rows(*given: tuple[str, list[dict[str, Any]]]) -> list[TranscriptMessage]:
    return [TranscriptMessage(number, role, parts, None) for number, (role, parts) in enumerate(given, 1)]


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def call(call_id: str) -> dict[str, Any]:
    return {"type": "tool-call", "tool_call_id": call_id, "tool_name": "current_time", "args": {}}


def result(call_id: str) -> dict[str, Any]:
    return {"type": "tool-result", "tool_call_id": call_id, "tool_name": "current_time", "result": "noon"}


def not_run(call_id: str) -> dict[str, Any]:
    return result(call_id) | {"result": NOT_RUN, "is_error": True}


def conversation(*given: tuple[str, list[dict[str, Any]]]) -> list[tuple[str, list[dict[str, Any]]]]:
    request = assemble(rows(*given), MODEL)
    return [(message.role, list(message.parts)) for message in request.messages]


def test_a_whole_request() -> None:
    reasoning = {"type": "reasoning", "text": "Hm.", "provider_metadata": {"anthropic": {"signature": "s"}}}
    file = {"type": "file-reference", "file_name": "a.py", "start_line": 1, "end_line": 1, "content": "x"}
    request = assemble(
        rows(
            ("system", [text("Be brief."), text("Be kind.")]),
            ("system", [text("The user is in Berlin.")]),
            ("user", [text("What time is it?"), file]),
            ("assistant", [reasoning, text("Let me look."), call("a")]),
            ("tool", [result("a")]),
            ("assistant", [text("Noon.")]),
            ("user", [text("Thanks.")]),
        ),
        MODEL,
        [CLOCK],
        {"X-Coder-Chat-Id": "c"},
    )
    assert request == ModelRequest(
        model="claude-x",
        system=["Be brief.\n\nBe kind.", "The user is in Berlin."],
        messages=[
            PromptMessage("user", [text("What time is it?"), file]),
            PromptMessage("assistant", [reasoning, text("Let me look."), call("a")]),
            PromptMessage("tool", [result("a")]),
            PromptMessage("assistant", [text("Noon.")]),
            PromptMessage("user", [text("Thanks.")]),
        ],
        tools=[CLOCK],
        max_output_tokens=1000,
        thinking_budget_tokens=500,
        headers={"X-Coder-Chat-Id": "c"},
    )


def test_a_system_row_that_came_later_still_leads() -> None:
    request = assemble(rows(("user", [text("a")]), ("system", [text("late")])), MODEL)
    assert request.system == ["late"]
    assert [message.role for message in request.messages] == ["user"]


def test_a_call_without_a_result_gets_one_before_the_conversation_goes_on() -> None:
    assert conversation(
        ("user", [text("go")]),
        ("assistant", [call("a"), call("b"), call("c")]),
        ("tool", [result("b")]),
        ("user", [text("never mind")]),
    )[2:] == [
        ("tool", [result("b")]),
        ("tool", [not_run("a"), not_run("c")]),
        ("user", [text("never mind")]),
    ]


def test_calls_at_the_end_and_before_another_answer_get_results_too() -> None:
    assert conversation(
        ("user", [text("go")]), ("assistant", [call("a")]), ("assistant", [text("so"), call("b")])
    )[1:] == [
        ("assistant", [call("a")]),
        ("tool", [not_run("a")]),
        ("assistant", [text("so"), call("b")]),
        ("tool", [not_run("b")]),
    ]


def test_a_result_whose_call_is_lost_gets_a_call_and_a_second_one_is_left_out() -> None:
    assert conversation(
        ("tool", [result("before anybody spoke")]),
        ("user", [text("go")]),
        ("assistant", [call("a"), call("b")]),
        ("tool", [result("a"), result("stranger")]),
        ("tool", [result("a"), result("stranger")]),
        ("user", [text("on")]),
        ("tool", [result("a")]),
    ) == [
        ("user", [text("go")]),
        ("assistant", [call("a"), call("b")]),
        ("tool", [result("a")]),
        ("tool", [not_run("b")]),
        ("assistant", [call("stranger")]),
        ("tool", [result("stranger")]),
        ("user", [text("on")]),
    ]


def test_the_rows_stay_as_they_are() -> None:
    given = rows(("user", [text("go")]), ("assistant", [call("a"), call("b")]), ("tool", [result("b")]))
    before = copy.deepcopy(given)
    assemble(given, MODEL)
    assert given == before


def test_without_a_limit_an_answer_may_have_32000_tokens() -> None:
    request = assemble(rows(("user", [text("go")])), ModelFacts("m"))
    assert (request.max_output_tokens, request.thinking_budget_tokens) == (32_000, None)
