"""Half a pair of what the vendor runs, in every way in which history may come to hold one."""

import logging
from typing import Any

import pytest

from activities.providers.anthropic.pairs import MAX_LOGGED, Rule, repaired, violations
from activities.providers.protocol import PromptMessage

Part = dict[str, Any]


def call(call_id: str = "s1", **more: Any) -> Part:
    named: Part = {"tool_call_id": call_id, "tool_name": "web_search", "provider_executed": True, "args": {}}
    kept = {"anthropic": {"block": {"type": "server_tool_use"}}}
    return {"type": "tool-call", **named, "provider_metadata": kept, **more}


def result(call_id: str = "s1", **more: Any) -> Part:
    named = {"tool_call_id": call_id, "tool_name": "web_search", "provider_executed": True, "result": ["hit"]}
    block: Part = {"type": "web_search_tool_result", "tool_use_id": call_id, "content": []}
    return {"type": "tool-result", **named, "provider_metadata": {"anthropic": {"block": block}}, **more}


def said(words: str = "so") -> Part:
    return {"type": "text", "text": words}


SIGNED: Part = {"type": "reasoning", "text": "Hm.", "provider_metadata": {"anthropic": {"signature": "s"}}}
TOLD = said('(web_search answered: ["hit"])')


def conversation(*answers: list[Part]) -> list[PromptMessage]:
    """A user's word before and after every answer."""
    messages = [PromptMessage("user", [said("go")])]
    for answer in answers:
        messages += [PromptMessage("assistant", answer), PromptMessage("user", [said("on")])]
    return messages


@pytest.mark.parametrize(
    ("answers", "rules", "mended"),
    [
        ([[call(), result(), said()]], [], [[call(), result(), said()]]),
        ([[call(), said()]], [Rule.CALL_WITHOUT_RESULT], [[said()]]),
        ([[result(), said()]], [Rule.RESULT_WITHOUT_CALL], [[TOLD, said()]]),
        (
            [[result(), call(), said()]],
            [Rule.RESULT_BEFORE_CALL, Rule.CALL_WITHOUT_RESULT],
            [[TOLD, said()]],
        ),
        ([[call(), result(), result()]], [Rule.DUPLICATE_ID], [[call(), result()]]),
        ([[call(), result()], [call(), result()]], [Rule.DUPLICATE_ID] * 2, [[call(), result()]]),
        (
            [[call(args="{bro"), result(), said()]],
            [Rule.INVALID_CALL, Rule.RESULT_BEFORE_CALL],
            [[TOLD, said()]],
        ),
        ([[call(tool_name=" "), said()]], [Rule.INVALID_CALL], [[said()]]),
        (
            [[call(), result(provider_metadata={}), said()]],
            [Rule.CALL_WITHOUT_RESULT, Rule.INVALID_RESULT],
            [[said()]],
        ),
        (
            [[call()], [result(), said()]],
            [Rule.CALL_WITHOUT_RESULT, Rule.RESULT_BEFORE_CALL],
            [[], [TOLD, said()]],
        ),
        ([[SIGNED, call()]], [Rule.CALL_WITHOUT_RESULT], [[SIGNED]]),
    ],
)
def test_what_is_wrong_is_found_and_mended(
    answers: list[list[Part]], rules: list[Rule], mended: list[list[Part]]
) -> None:
    history = conversation(*answers)
    assert [violation.rule for violation in violations(history, "anthropic")] == rules
    after = repaired(history, "anthropic", phase="test")
    assert violations(after, "anthropic") == []
    assert [list(m.parts) for m in after if m.role == "assistant"] == [parts for parts in mended if parts]
    assert repaired(after, "anthropic", phase="test") == after


def test_a_block_outside_of_an_answer_is_dropped() -> None:
    history = [PromptMessage("user", [said(), result()])]
    assert [violation.rule for violation in violations(history, "anthropic")] == [Rule.OUTSIDE_ASSISTANT]
    assert repaired(history, "anthropic", phase="test") == [PromptMessage("user", [said()])]


def test_a_call_may_be_open_at_the_end_and_while_ours_are_answered() -> None:
    ours: Part = {"type": "tool-call", "tool_call_id": "t", "tool_name": "look", "args": {}}
    answered: Part = {"type": "tool-result", "tool_call_id": "t", "tool_name": "look", "result": 1}
    paused = [*conversation()[:1], PromptMessage("assistant", [said(), call()])]
    waiting = [
        *conversation()[:1],
        PromptMessage("assistant", [call(), ours]),
        PromptMessage("user", [answered]),
    ]
    for history in (paused, waiting, [*waiting, PromptMessage("assistant", [result()])]):
        assert violations(history, "anthropic") == []
        assert repaired(history, "anthropic", phase="test") == history


def test_the_log_of_one_call_is_bounded_and_names_the_phase(caplog: pytest.LogCaptureFixture) -> None:
    history = conversation(*([[call(f"s{number}"), said()] for number in range(MAX_LOGGED + 5)]))
    with caplog.at_level(logging.WARNING):
        repaired(history, "anthropic", phase="pre_request")
    assert len(caplog.records) == MAX_LOGGED
    assert {getattr(record, "phase", None) for record in caplog.records} == {"pre_request"}
