"""Loaded by the fuzzer: ids become those of things there are, so that requests reach what is behind them."""

# The fuzzer's hooks and cases are made at run time.
# pyright: reportUnknownMemberType=false, reportUntypedFunctionDecorator=false

import json
import os
from typing import Any, cast
from uuid import UUID

import schemathesis

MAX_MICROS = 10**15
KNOWN: dict[str, str] = json.loads(os.environ["KNOWN_IDS"])


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    for values in (case.path_parameters, case.query, case.body):
        if isinstance(values, dict):
            _make_known(cast("dict[str, Any]", values))
            _make_ample(cast("dict[str, Any]", values))


def _make_known(values: dict[str, Any]) -> None:
    for name in KNOWN.keys() & values.keys():
        if _is_uuid(values[name]):
            values[name] = KNOWN[name]


def _make_ample(values: dict[str, Any]) -> None:
    """Budgets get the highest limit there is: with a low one nobody could say anything any more."""
    limit = values.get("limit_micros")
    if isinstance(limit, int) and 0 <= limit <= MAX_MICROS:
        values["limit_micros"] = MAX_MICROS


def _is_uuid(value: object) -> bool:
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True
