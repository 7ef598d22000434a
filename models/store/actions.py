"""Answers from outside to calls that wait for them: results of client tools, and approvals.

Both come as drafts (`models.store.drafts`), whose content is a list with an entry per call.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from models.chat_state import Approval, Awaited, ToolCallRef
from models.parts import ToolResultPart, dump_part
from models.store.bundle import Bundle, NewMessage, synthetic_result
from models.store.tables import model_configs
from models.tool_output import budget_bytes, shortened
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
        return set(ids) == {call.id for call in open_calls if call.awaits is Awaited.RESULT}
    return set(ids) <= {call.id for call in open_calls if call.awaits is Awaited.APPROVAL}


def still_waits(open_calls: tuple[ToolCallRef, ...]) -> bool:
    """Whether a chat that has been answered goes on waiting: for what is left to be decided, so that calls
    can be decided one by one, or because there is nothing that it could do meanwhile."""
    awaited = {call.awaits for call in open_calls}
    return Awaited.APPROVAL in awaited or awaited == {Awaited.RESULT}


async def place_answers(bundle: Bundle, place: Placement, content: Answers, created_by: UUID) -> None:
    """Put results into history, one row per call in call order, and mark what was approved."""
    answers = {answer["tool_call_id"]: answer for answer in content}
    budget = await _budget_bytes(bundle) if place is Placement.RESULTS else 0
    rows: list[NewMessage] = []
    left: list[ToolCallRef] = []
    for call in bundle.state().open_calls:
        answer = answers.get(call.id)
        if answer is None:
            left.append(call)
        elif place is Placement.RESULTS:
            rows.append(NewMessage("tool", [_result(call, answer, budget)], created_by=created_by))
        elif answer["decision"] == "approve":
            left.append(call.model_copy(update={"approval": Approval.GIVEN}))
        else:
            rows.append(NewMessage("tool", [_denial(call, answer)], created_by=created_by))
    bundle.add_messages(rows, turn=bundle.row["turn"], step=bundle.row["step"])
    bundle.set(open_calls=[call.stored() for call in left])


async def _budget_bytes(bundle: Bundle) -> int:
    """How long a result may be for the model that is to read it."""
    limit = select(model_configs.c.context_limit).where(
        model_configs.c.id == bundle.row["last_model_config_id"]
    )
    return budget_bytes(await bundle.conn.scalar(limit))


def _result(call: ToolCallRef, answer: dict[str, Any], budget: int) -> dict[str, Any]:
    output = answer["output"]
    cut = shortened(output, budget)
    return dump_part(
        ToolResultPart(
            tool_call_id=call.id,
            tool_name=call.name,
            result=output if cut is None else cut,
            is_error=answer["is_error"] or None,
            created_at=datetime.now(UTC),
        )
    )


def _denial(call: ToolCallRef, answer: dict[str, Any]) -> dict[str, Any]:
    reason = answer.get("reason")
    return dump_part(synthetic_result(call, f"{DENIED} Their reason: {reason}" if reason else DENIED))
