"""Calls that the vendor runs, and their results: a history with half a pair is refused, so it is repaired.

Works on stored parts, before they take their wire form (spec chat-loop.md 1.16). Pure.

A call stays open with reason in one place only: at the end. The vendor has paused and goes on with it, or it
waits for results of ours first, and then nothing but those may follow.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import orjson

from activities.prompt.portable import CLIPPED_CHARACTERS
from activities.providers.anthropic.kept import block_of, own
from activities.providers.protocol import PromptMessage

MAX_LOGGED = 32
"""Violations written to the log for one call."""

StoredPart = dict[str, Any]

_log = logging.getLogger(__name__)


class Rule(StrEnum):
    """What a part of a pair can do wrong."""

    OUTSIDE_ASSISTANT = "outside_assistant"
    CALL_WITHOUT_RESULT = "call_without_result"
    RESULT_WITHOUT_CALL = "result_without_call"
    RESULT_BEFORE_CALL = "result_before_call"
    DUPLICATE_ID = "duplicate_id"
    INVALID_CALL = "invalid_call"
    INVALID_RESULT = "invalid_result"


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule and the part that breaks it, by the index of its message and its own index in there."""

    rule: Rule
    message: int
    part: int


def repaired(messages: Sequence[PromptMessage], namespace: str, *, phase: str) -> list[PromptMessage]:
    """The messages without half a pair in them: a lone result becomes text, what else is wrong is dropped.

    The newest answer is left as it is where it holds signed reasoning, as long as that can be; then what is
    wrong in it is mended too, and if even that leaves something, no call or result of the vendor remains one.

    Args:
        messages: in the vendor's roles: neighbours of one role are one message already.
        phase: for the log: what is being done with the messages.
    """
    found = violations(messages, namespace)
    if not found:
        return list(messages)
    for violation in found[:MAX_LOGGED]:
        _log.warning(
            "a tool of the vendor is not in order: %s",
            violation.rule,
            extra={"phase": phase, "prompt_message": violation.message, "part": violation.part},
        )
    signed = _newest_signed(messages, namespace)
    mended = _until_stable(list(messages), namespace, untouched=signed)
    if violations(mended, namespace):
        mended = _until_stable(mended, namespace, untouched=None)
    if violations(mended, namespace):
        mended = [replace(message, parts=_all_as_text(message.parts)) for message in mended]
    return [message for message in _without_lost_callers(mended, namespace) if message.parts]


def violations(messages: Sequence[PromptMessage], namespace: str) -> list[Violation]:
    """What the vendor would refuse, in order."""
    reading = _Reading(messages, namespace)
    for index, message in enumerate(messages):
        reading.read(index, message)
    return reading.end()


class _Reading:
    """Walks through a history once."""

    def __init__(self, messages: Sequence[PromptMessage], namespace: str) -> None:
        self._namespace = namespace
        self._found: list[Violation] = []
        self._open: dict[str, tuple[int, int]] = {}
        self._calls: set[str] = set()
        self._results: set[str] = set()
        self._all_calls = {part["tool_call_id"] for m in messages for part in m.parts if _is_call(part)}

    def read(self, index: int, message: PromptMessage) -> None:
        if message.role != "assistant":
            if not all(part["type"] == "tool-result" for part in message.parts):
                self._close()
            for number, part in enumerate(message.parts):
                if part.get("provider_executed"):
                    self._found.append(Violation(Rule.OUTSIDE_ASSISTANT, index, number))
            return
        for number, part in enumerate(message.parts):
            rule = self._broken(part, (index, number))
            if rule is not None:
                self._found.append(Violation(rule, index, number))

    def end(self) -> list[Violation]:
        return sorted(self._found, key=lambda violation: (violation.message, violation.part))

    def _close(self) -> None:
        """Whatever is open now stays so: the conversation went on without a result."""
        self._found += [Violation(Rule.CALL_WITHOUT_RESULT, *place) for place in self._open.values()]
        self._open.clear()

    def _broken(self, part: StoredPart, place: tuple[int, int]) -> Rule | None:
        if _is_call(part):
            return self._broken_call(part, place)
        return self._broken_result(part) if _is_result(part) else None

    def _broken_call(self, part: StoredPart, place: tuple[int, int]) -> Rule | None:
        call_id: str = part["tool_call_id"]
        if not call_id.strip() or not part["tool_name"].strip() or not isinstance(part.get("args"), dict):
            return Rule.INVALID_CALL
        if call_id in self._calls:
            return Rule.DUPLICATE_ID
        self._calls.add(call_id)
        self._open[call_id] = place
        return None

    def _broken_result(self, part: StoredPart) -> Rule | None:
        call_id: str = part["tool_call_id"]
        if block_of(self._namespace, part).get("tool_use_id") is None:
            return Rule.INVALID_RESULT
        if call_id in self._results:
            return Rule.DUPLICATE_ID
        if self._open.pop(call_id, None) is None:
            return Rule.RESULT_BEFORE_CALL if call_id in self._all_calls else Rule.RESULT_WITHOUT_CALL
        self._results.add(call_id)
        return None


def _is_call(part: StoredPart) -> bool:
    return part["type"] == "tool-call" and bool(part.get("provider_executed"))


def _is_result(part: StoredPart) -> bool:
    return part["type"] == "tool-result" and bool(part.get("provider_executed"))


def _newest_signed(messages: Sequence[PromptMessage], namespace: str) -> int | None:
    """Index of the newest answer, if it holds reasoning that is signed."""
    for index in range(len(messages) - 1, -1, -1):
        if messages[index].role == "assistant":
            parts = messages[index].parts
            signed = any(part["type"] == "reasoning" and own(namespace, part) for part in parts)
            return index if signed else None
    return None


def _until_stable(
    messages: list[PromptMessage], namespace: str, *, untouched: int | None
) -> list[PromptMessage]:
    """Mend, and mend what only shows then: each round takes at least one part away."""
    while True:
        found = [v for v in violations(messages, namespace) if v.message != untouched]
        if not found:
            return messages
        wrong = {(violation.message, violation.part): violation.rule for violation in found}
        messages = [
            replace(message, parts=list(_mended(message.parts, index, wrong)))
            for index, message in enumerate(messages)
        ]


_TOLD = (Rule.RESULT_WITHOUT_CALL, Rule.RESULT_BEFORE_CALL)


def _mended(
    parts: Iterable[StoredPart], index: int, wrong: dict[tuple[int, int], Rule]
) -> Iterable[StoredPart]:
    for number, part in enumerate(parts):
        rule = wrong.get((index, number))
        if rule is None:
            yield part
        elif rule in _TOLD:
            yield _as_text(part)


def _all_as_text(parts: Iterable[StoredPart]) -> list[StoredPart]:
    kept = (part for part in parts if not _is_call(part))
    return [_as_text(part) if part.get("provider_executed") else part for part in kept]


def _as_text(part: StoredPart) -> StoredPart:
    result = part.get("result")
    told = result if isinstance(result, str) else orjson.dumps(result).decode()
    return {"type": "text", "text": f"({part['tool_name']} answered: {told[:CLIPPED_CHARACTERS]})"}


def _without_lost_callers(messages: Iterable[PromptMessage], namespace: str) -> Iterable[PromptMessage]:
    """Calls of our tools that say they were made by a call which is no longer there say so no more."""
    there: set[str] = set()
    for message in messages:
        there.update(part["tool_call_id"] for part in message.parts if _is_call(part))
        yield replace(message, parts=[_own_call(part, there, namespace) for part in message.parts])


def _own_call(part: StoredPart, there: set[str], namespace: str) -> StoredPart:
    block = block_of(namespace, part) if part["type"] == "tool-call" else {}
    caller: Any = block.get("caller")
    if _is_call(part) or not caller or caller.get("tool_id") in (None, *there):
        return part
    return {key: value for key, value in part.items() if key != "provider_metadata"}
