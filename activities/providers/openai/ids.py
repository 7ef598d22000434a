"""Ids and names of tool calls as the API takes them: short, of a plain alphabet, each once per request."""

import hashlib
import re

MAX_NAME = 64

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_DIGEST = 8


def wire_name(name: str) -> str:
    """The name of a tool that a model of another vendor has called."""
    return _short(_UNSAFE.sub("_", name) or "unknown", MAX_NAME)


class CallIds:
    """The ids of one request.

    Some servers number the calls of every answer anew, so one id may stand for several calls; a result
    belongs to the last call before it. The same history makes the same ids in every request.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._taken: set[str] = set()
        self._current: dict[str, str] = {}

    def of_call(self, call_id: str) -> str:
        """The id of a call that begins here."""
        plain = _short(_UNSAFE.sub("_", call_id) or "_", self._longest)
        number, candidate = 1, plain
        while candidate in self._taken:
            number += 1
            ending = f"_{number}"
            candidate = plain[: self._longest - len(ending)] + ending
        self._taken.add(candidate)
        self._current[call_id] = candidate
        return candidate

    def of_result(self, call_id: str) -> str:
        """The id of the call that a result belongs to."""
        return self._current.get(call_id) or self.of_call(call_id)


def _short(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]
    return f"{text[: longest - _DIGEST - 1]}_{digest}"
