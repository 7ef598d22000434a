"""The description of the API, as it really answers, and good to read and to generate clients from."""

import re
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

_NEVER_SENT = "#/components/schemas/HTTPValidationError"
_SCHEMAS = "#/components/schemas/"
_DEEPEST = 6

_BY_FORMAT = {
    "uuid": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "date-time": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "email": "ada@example.com",
    "uri": "https://example.com",
}
_BY_TYPE: dict[str, Any] = {"string": "text", "boolean": True, "number": 1.0, "object": {}, "null": None}

_Schema = Mapping[str, Any]


def describe_truthfully(app: FastAPI) -> None:
    """Make the description agree with the answers, and complete it.

    FastAPI's own 422 is taken out: we answer 400 in the shape of all our errors. Summaries are told from the
    operation ids, and bodies without an example get one from what is known of their fields.
    """
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        schema = generate()
        schemas = schema["components"]["schemas"]
        for operations in schema["paths"].values():
            for operation in operations.values():
                _tell_of_invalid_requests(operation)
                operation["summary"] = _summary(operation["operationId"])
                _give_example(operation, schemas)
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        return schema

    app.openapi = openapi


def _tell_of_invalid_requests(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if "parameters" in operation or "requestBody" in operation:
        shape = {"schema": {"$ref": f"{_SCHEMAS}ErrorBody"}}
        invalid = {"description": "Bad Request", "content": {"application/json": shape}}
        responses.setdefault("400", invalid)
    content = responses.get("422", {}).get("content", {})
    if content.get("application/json", {}).get("schema", {}).get("$ref") == _NEVER_SENT:
        del responses["422"]


def _summary(operation_id: str) -> str:
    """`listMessages` as `List messages`."""
    words = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", operation_id)
    return " ".join(words).capitalize()


def _give_example(operation: dict[str, Any], schemas: _Schema) -> None:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None or "example" in content or "examples" in content:
        return
    body = _resolved(content["schema"], schemas)
    if "examples" not in body and "example" not in body:
        content["example"] = _example(body, schemas)


def _resolved(schema: _Schema, schemas: _Schema) -> _Schema:
    reference: str | None = schema.get("$ref")
    return schemas[reference.removeprefix(_SCHEMAS)] if reference else schema


def _example(schema: _Schema, schemas: _Schema, depth: int = 0) -> Any:
    """A value of this schema: one it names itself, else one put together from its fields."""
    schema = _resolved(schema, schemas)
    for told in ("examples", "enum"):
        if schema.get(told):
            return schema[told][0]
    for told in ("example", "const"):
        if told in schema:
            return schema[told]
    if schema.get("default") is not None:
        return schema["default"]
    choices = [one for name in ("anyOf", "oneOf", "allOf") for one in schema.get(name, ())]
    if choices:
        return _example(choices[0], schemas, depth + 1)
    match schema.get("type"):
        case "object" if "properties" in schema and depth < _DEEPEST:
            return _fields(schema, schemas, depth)
        case "array":
            return [_example(schema["items"], schemas, depth + 1)] if depth < _DEEPEST else []
        case "integer":
            return max(1, schema.get("minimum", 1))
        case kind:
            return _BY_FORMAT.get(schema.get("format", ""), _BY_TYPE.get(str(kind)))


def _fields(schema: _Schema, schemas: _Schema, depth: int) -> dict[str, Any]:
    """What has to be there, and what may be and brings an example of its own; if that is nothing, all."""
    required = schema.get("required", ())
    chosen = {
        name: field
        for name, field in schema["properties"].items()
        if name in required or _resolved(field, schemas).get("examples")
    }
    return {
        name: _example(field, schemas, depth + 1) for name, field in (chosen or schema["properties"]).items()
    }
