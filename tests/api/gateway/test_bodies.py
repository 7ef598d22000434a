"""What a request says of itself, as far as it decides on what it may cost."""

import json
from typing import Any

import pytest

from api.errors import ApiError
from api.gateway.bodies import BodyRoom, Held, Question, understand
from api.gateway.costs import Terms, most_it_costs
from api.gateway.wires import CHAT_COMPLETIONS, MESSAGES, RESPONSES, Endpoint
from models.model_options import Prices
from models.pricing import cost_micros
from models.usage import Usage


def understood(endpoint: Endpoint, **fields: Any) -> Question:
    return understand(endpoint, [json.dumps({"model": "m", **fields}).encode()])


@pytest.mark.parametrize(
    ("endpoint", "fields", "limit", "answers"),
    [
        (MESSAGES, {"max_tokens": 7}, 7, 1),
        (RESPONSES, {"max_output_tokens": 8, "max_tokens": 1}, 8, 1),
        (CHAT_COMPLETIONS, {"max_tokens": 5}, 5, 1),
        (CHAT_COMPLETIONS, {"max_tokens": 5, "max_completion_tokens": 9, "n": 3}, 9, 3),
        (CHAT_COMPLETIONS, {"max_tokens": None, "n": None}, None, 1),
        (MESSAGES, {"max_tokens": "many"}, None, 1),
    ],
)
def test_the_length_of_an_answer_is_read_where_the_vendor_reads_it(
    endpoint: Endpoint, fields: dict[str, Any], limit: int | None, answers: int
):
    question = understood(endpoint, **fields)
    assert (question.max_output_tokens, question.answers) == (limit, answers)


TEXTS: list[dict[str, Any]] = [
    {"messages": [{"role": "user", "content": "hi"}], "system": [{"type": "text", "text": "x"}]},
    {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "x"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {}}]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "content": [{"type": "text", "text": "x"}]}],
            },
        ],
        "tools": [{"name": "n", "input_schema": {}}],
        "thinking": {"type": "enabled"},
    },
    {
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "x"}]},
            {"type": "function_call", "call_id": "c", "name": "n", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "x"},
        ],
        "tools": [{"type": "function", "name": "n"}],
        "previous_response_id": None,
    },
    {"input": "x"},
]

MORE: list[dict[str, Any]] = [
    {"previous_response_id": "resp_1"},
    {"conversation": "conv_1"},
    {"prompt": {"id": "p"}},
    {"mcp_servers": [{"url": "https://x"}]},
    {"something_new": 1},
    {"tools": [{"type": "web_search_20260101", "name": "web_search"}]},
    {"tools": {"type": "all"}},
    {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "x"}}]}]},
    {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": [{"type": "document"}]}]}]},
    {"messages": [{"role": "user", "content": [["odd"]]}]},
    {"messages": [{"role": "user", "content": {"type": "image"}}]},
    {"input": [{"type": "item_reference", "id": "x"}]},
    {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]},
    {"input": [{"type": "function_call_output", "output": [{"type": "input_image", "image_url": "x"}]}]},
]


@pytest.mark.parametrize("fields", TEXTS)
def test_a_request_that_is_all_text_says_so(fields: dict[str, Any]):
    assert not understood(MESSAGES, **fields).refers


@pytest.mark.parametrize("fields", MORE)
def test_a_request_that_stands_for_more_than_its_text_says_so(fields: dict[str, Any]):
    assert understood(MESSAGES, **fields).refers


PRICES = Prices.model_validate({"input_price_per_million_tokens": 1, "output_price_per_million_tokens": 10})


@pytest.mark.parametrize(
    ("question", "usage"),
    [
        (Question("m", 100, streamed=False, max_output_tokens=50), Usage(100, 50)),
        (Question("m", 100, streamed=False, max_output_tokens=50, answers=4), Usage(100, 200)),
        (Question("m", 100, streamed=False), Usage(100, 9000)),
        (Question("m", 100, streamed=False, max_output_tokens=50, refers=True), Usage(9000, 50)),
    ],
)
def test_no_call_costs_more_than_was_set_aside(question: Question, usage: Usage):
    worst = most_it_costs(question, Terms(PRICES, 9000, None))
    cost = cost_micros(usage.stored(), PRICES)
    assert worst is not None
    assert cost is not None
    assert cost <= worst <= cost + 10_000


def test_a_model_without_a_price_has_no_worst_case():
    assert most_it_costs(Question("m", 1, streamed=False), Terms(Prices(), 9000, None)) is None


def _take(held: Held, *sizes: int) -> None:
    for size in sizes:
        held.take(size)


def test_what_would_be_too_much_at_once_is_refused_and_takes_no_room():
    room = BodyRoom(most=10)
    with room.unless_it_fails() as first:
        first.take(8)
    with pytest.raises(ApiError) as refused, room.unless_it_fails() as second:
        _take(second, 2, 1)
    assert (refused.value.status, room.bytes) == (503, 8)
    first.let_go()
    first.let_go()
    assert room.bytes == 0
