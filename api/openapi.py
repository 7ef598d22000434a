"""The description of the API, as it really answers."""

from typing import Any

from fastapi import FastAPI

_NEVER_SENT = "#/components/schemas/HTTPValidationError"


def describe_truthfully(app: FastAPI) -> None:
    """Take FastAPI's own 422 out of the description: we answer 400 in the shape of all our errors."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        schema = generate()
        for operations in schema["paths"].values():
            for operation in operations.values():
                _drop_unsent(operation["responses"])
        for name in ("HTTPValidationError", "ValidationError"):
            schema["components"]["schemas"].pop(name, None)
        return schema

    app.openapi = openapi


def _drop_unsent(responses: dict[str, Any]) -> None:
    content = responses.get("422", {}).get("content", {})
    if content.get("application/json", {}).get("schema", {}).get("$ref") == _NEVER_SENT:
        del responses["422"]
