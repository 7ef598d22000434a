"""The description of the API says what is answered."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from api.app import create_app
from runtime.settings import Settings
from tests.api.conftest import Door
from tests.api.served import client

OPEN = {f"/api/v2/users/{door}" for door in ("authmethods", "oidc/login", "oidc/callback")}
"""Who comes here has no token yet."""

OURS = "#/components/schemas/ErrorBody"
THEIRS = "#/components/schemas/VendorError"
"""The shape of errors where a vendor's own API passes through."""


@pytest.fixture(scope="module")
def described() -> Any:
    return create_app(Settings()).openapi()["paths"]


def passes_through(operation: Any) -> bool:
    return "default" in operation["responses"]


def operations(described: Any) -> list[Any]:
    return [operation for path in described.values() for operation in path.values()]


def test_every_operation_has_a_name_of_its_own(described: Any):
    names = [operation["operationId"] for operation in operations(described)]
    assert len(set(names)) == len(names)


def test_every_error_has_our_shape(described: Any):
    for operation in operations(described):
        responses = operation["responses"]
        shape = THEIRS if passes_through(operation) else OURS
        for status, response in responses.items():
            if status == "default":  # what a vendor says is the vendor's business
                assert shape == THEIRS
            elif int(status) >= 400 and operation["operationId"] != "getReadiness":
                assert response["content"]["application/json"]["schema"]["$ref"] == shape, operation


def test_every_operation_on_chats_says_what_happens_without_a_token(
    described: Any,
):
    for path, methods in described.items():
        if path.startswith("/api/") and path not in OPEN:
            for operation in methods.values():
                assert "401" in operation["responses"], path


async def test_no_operation_answers_those_without_a_token(door: Door, described: Any):
    async with client(door.served.url) as nobody:
        for path, methods in described.items():
            if not path.startswith("/api/") or path in OPEN or path.endswith("/download"):
                continue
            there = re.sub(r"\{\w+\}", "5c2f0a1e-94d7-4a53-8f0b-6f1f4be1d3a7", path)
            for method in methods:
                answer = await nobody.request(method, f"{door.served.url}{there}")
                assert answer.status_code == 401, (method, path, answer.text)


VERBS = (
    "accept|activate|add|approve|archive|check|clear|compact|create|decide|delete|deny|download|edit|end|get|"
    "interrupt|leave|list|make|mark|move|promote|propose|put|reconcile|remove|replace|revoke|send|set|share|"
    "start|stop|stream|submit|suspend|test|upload|watch"
)


def test_every_operation_is_named_as_a_method_would_be(described: Any):
    for operation in operations(described):
        assert re.fullmatch(f"({VERBS})([A-Z][a-zA-Z0-9]*)?", operation["operationId"]), operation[
            "operationId"
        ]


def test_every_operation_says_what_it_does_in_a_line_of_its_own(described: Any):
    for operation in operations(described):
        assert operation["description"].strip(), operation["operationId"]
    summaries = [operation["summary"] for operation in operations(described)]
    assert len(set(summaries)) == len(summaries)


def test_every_body_has_an_example_that_is_taken():
    app = create_app(Settings())
    document = app.openapi()
    described = {operation["operationId"]: operation for operation in operations(document["paths"])}
    checked: set[str] = set()
    for route in own_routes(app.routes):
        body = described.get(route.operation_id or "", {}).get("requestBody", {}).get("content", {})
        if route.body_field is None or "application/json" not in body:
            continue
        content = body["application/json"]
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        shape = document["components"]["schemas"].get(name, content["schema"])
        for example in shape.get("examples", [content.get("example")]):
            body_type: Any = route.body_field.field_info.annotation
            TypeAdapter[Any](body_type).validate_python(example)
        checked.add(route.operation_id or "")
    assert {"createChat", "sendMessage", "setCompactionThreshold"} <= checked
    assert checked == {
        name
        for name, operation in described.items()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
        and not passes_through(operation)
    }


def own_routes(routes: Any) -> Iterator[APIRoute]:
    """The routes of included routers, which FastAPI keeps apart."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif (router := getattr(route, "original_router", None)) is not None:
            yield from own_routes(router.routes)
