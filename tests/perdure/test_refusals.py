"""How the API's errors are told."""

import json

import pytest

from perdure.client import ApiError, BadRequest


def test_message_detail_and_validations_are_shown() -> None:
    body = {
        "message": "The request is not valid.",
        "detail": "content: Must not be empty.",
        "validations": [
            {"field": "content", "detail": "Must not be empty."},
            {"field": "labels", "detail": "Too many."},
        ],
    }
    refused = ApiError.from_answer(400, json.dumps(body).encode())
    assert isinstance(refused, BadRequest)
    assert str(refused).splitlines() == [
        "The request is not valid.",
        "content: Must not be empty.",
        "  labels: Too many.",
    ]
    assert refused.status == 400
    assert refused.validations[1] == ("labels", "Too many.")


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b'{"error": 1}'])
def test_an_answer_that_is_not_ours_is_told_by_its_status(body: bytes) -> None:
    assert "502" in str(ApiError.from_answer(502, body))
