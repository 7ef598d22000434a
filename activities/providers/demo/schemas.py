"""JSON schemas of functions, as OpenAI checks them."""

from typing import Any

from activities.providers.demo.dialect import InvalidRequest
from activities.providers.demo.shapes import as_object


def check_schema(function: str, schema: Any, param: str, *, strict: bool) -> None:
    """Refuse a schema that is none of an object, or whose `required` is null, or not strict where it says so.

    Raises:
        InvalidRequest: in about the vendor's words.
    """
    problem = _problem(schema, strict=strict)
    if problem:
        raise InvalidRequest(
            f"Invalid schema for function '{function}': {problem}",
            code="invalid_function_parameters",
            param=param,
        )


def _problem(schema: Any, *, strict: bool) -> str | None:
    if schema is None:
        return None
    known = as_object(schema)
    if known is None:
        return f"{schema!r} is not of type 'object'."
    if known.get("type") != "object":
        return f"schema must be a JSON Schema of 'type: \"object\"', got 'type: {known.get('type')!r}'."
    if "properties" not in known:
        return "In context=(), object schema missing properties."
    if "required" in known and not isinstance(known["required"], list):
        return f"{known['required']!r} is not of type 'array'."
    if strict and known.get("additionalProperties") is not False:
        return "In context=(), 'additionalProperties' is required to be supplied and to be false."
    return None
