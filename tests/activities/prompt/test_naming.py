"""Asking a model for a name, and finding it in the answer."""

from typing import Any

import pytest

from activities.prompt.naming import LABEL, MAX_ALL, TITLE, name_in, naming_request
from models.store.naming import Said


def prompt(*said: Said) -> str:
    request = naming_request(TITLE, "m", said, {})
    (message,) = request.messages
    return message.parts[0]["text"]


def test_the_model_has_to_call_the_tool_that_takes_the_name():
    request = naming_request(LABEL, "m", [Said("user", "hi")], {"X-Coder-Chat-Id": "7"})
    assert [tool.name for tool in request.tools] == [request.tool_choice] == ["label_turn"]
    assert request.max_output_tokens == 64
    assert request.thinking_budget_tokens is None
    assert request.headers == {"X-Coder-Chat-Id": "7"}


def test_the_conversation_is_told_by_side_and_clipped():
    assert prompt(Said("user", " hi "), Said("assistant", "yes")) == (
        "<user>\nhi\n</user>\n\n<assistant>\nyes\n</assistant>"
    )
    long = prompt(*[Said("user", "x" * 5000)] * 20)
    assert long.count("x") + long.count("…") == MAX_ALL


CALL = {"type": "tool-call", "tool_call_id": "1", "tool_name": "name_chat"}


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ([{**CALL, "args": {"title": "Time in Lisbon"}}], "Time in Lisbon"),
        ([{**CALL, "args": {"name": "x"}}], None),
        ([{**CALL, "args": '{"title": "cut'}], None),
        ([{**CALL, "args": None}], None),
        ([{**CALL, "tool_name": "other", "args": {"title": "x"}}], None),
        ([{"type": "text", "text": '{"title": "As text"}'}], "As text"),
        ([{"type": "text", "text": "Time in Lisbon"}], None),
        ([{"type": "text", "text": '["Time"]'}], None),
        ([], None),
    ],
)
def test_a_name_is_read_from_the_call_or_from_json(parts: list[dict[str, Any]], name: object):
    assert name_in(TITLE, parts) == name
