"""The description of the API says what is answered."""

from typing import Any

import pytest

from api.app import create_app
from runtime.settings import Settings

OURS = "#/components/schemas/ErrorBody"


@pytest.fixture(scope="module")
def described() -> Any:
    return create_app(Settings()).openapi()["paths"]


def operations(described: Any) -> list[Any]:
    return [operation for path in described.values() for operation in path.values()]


def test_every_operation_has_a_name_of_its_own(described: Any):
    names = [operation["operationId"] for operation in operations(described)]
    assert len(set(names)) == len(names)


def test_every_error_has_our_shape(described: Any):
    for operation in operations(described):
        responses = operation["responses"]
        for status, response in responses.items():
            if int(status) >= 400 and operation["operationId"] != "getReadiness":
                assert response["content"]["application/json"]["schema"]["$ref"] == OURS, operation


def test_every_operation_on_chats_says_what_happens_without_a_token(
    described: Any,
):
    for path, methods in described.items():
        if path.startswith("/api/"):
            for operation in methods.values():
                assert "401" in operation["responses"], path
