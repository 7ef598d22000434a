"""Loaded by the fuzzer: ids become those of things there are, so that requests reach what is behind them."""

import json
import os
from typing import Any
from uuid import UUID

import schemathesis

KNOWN: dict[str, Any] = json.loads(os.environ["KNOWN_IDS"])


def _is_uuid(value: object) -> bool:
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True


def _with_known(values: Any) -> Any:
    if not isinstance(values, dict):
        return values
    named: dict[str, Any] = values
    return {
        name: KNOWN[name] if name in KNOWN and _is_uuid(value) else value for name, value in named.items()
    }


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    return _with_known(path_parameters)


@schemathesis.hook
def map_query(context: Any, query: Any) -> Any:
    return _with_known(query)


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    return _with_known(body)
