"""Answers from outside to calls that wait for them: results of client tools, and approvals.

Both come as drafts (`models.store.drafts`), whose content is a list with an entry per call.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from models.chat_state import Approval, ToolCallRef
from models.parts import ToolResultPart, dump_part
from models.store.bundle import Bundle, NewMessage, synthetic_result
from models.turns import Placement

Answers = list[dict[str, Any]]

DENIED = "The user did not allow this tool call, so it was not run."


def answers_fit(place: Placement, content: Answers, open_calls: tuple[ToolCallRef, ...]) -> bool:
    """Whether these are answers to what is asked now: results of all client calls, or approvals of some of
    the calls that need one."""
    ids = [answer["tool_call_id"] for answer in content]
    if len(set(ids)) != len(ids):
        return False
    if place is Placement.RESULTS:
        return set(ids) == {call.id for call in open_calls if call.client}
    return set(ids) <= {call.id for call in open_calls if call.approval is Approval.PENDING}


def place_answers(bundle: Bundle, place: Placement, content: Answers, created_by: UUID) -> None:
    """Put results into history, one row per call in call order, and mark what was approved."""
    answers = {answer["tool_call_id"]: answer for answer in content}
    rows: list[NewMessage] = []
    left: list[ToolCallRef] = []
    for call in bundle.state().open_calls:
        answer = answers.get(call.id)
        if answer is None:
            left.append(call)
        elif place is Placement.RESULTS:
            rows.append(NewMessage("tool", [_result(call, answer)], created_by=created_by))
        elif answer["decision"] == "approve":
            left.append(call.model_copy(update={"approval": Approval.GIVEN}))
        else:
            rows.append(NewMessage("tool", [_denial(call, answer)], created_by=created_by))
    bundle.add_messages(rows, turn=bundle.row["turn"], step=bundle.row["step"])
    bundle.set(open_calls=[call.stored() for call in left])


def _result(call: ToolCallRef, answer: dict[str, Any]) -> dict[str, Any]:
    return dump_part(
        ToolResultPart(
            tool_call_id=call.id,
            tool_name=call.name,
            result=answer["output"],
            is_error=answer["is_error"] or None,
            created_at=datetime.now(UTC),
        )
    )


def _denial(call: ToolCallRef, answer: dict[str, Any]) -> dict[str, Any]:
    reason = answer.get("reason")
    return dump_part(synthetic_result(call, f"{DENIED} Their reason: {reason}" if reason else DENIED))
