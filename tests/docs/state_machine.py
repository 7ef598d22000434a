"""Draws `docs/state-machine.md` from the machine itself: `make docs`."""

from collections.abc import Iterable
from itertools import product
from pathlib import Path

from models.chat_state import ChatState, ChatStatus, StateName
from workflows.chat.events import Transition
from workflows.chat.machine import MATRIX

PAGE = Path(__file__).parents[2] / "docs" / "state-machine.md"

MEANING = {
    StateName.W: "idle: the next message starts a turn",
    StateName.E0: "stopped by an error; the next message starts a turn",
    StateName.E1: "stopped by an error with a backlog; the next message starts the oldest of it",
    StateName.R0: "a turn is running",
    StateName.R1: "a turn is running, and messages wait for its end",
    StateName.I0: "a turn is being stopped; what there is of its answer is kept",
    StateName.I1: "the same, and messages wait",
    StateName.A0: "the turn waits for a result of its client's tools, or for approvals",
    StateName.A1: "the same, and messages wait",
    StateName.XW: "archived while idle",
    StateName.XE0: "archived after an error",
    StateName.XE1: "archived after an error, with a backlog",
}

CAUSE = {
    Transition.CREATE: "a new chat is stored with its first message",
    Transition.SEND_QUEUE: "a message; it waits while a turn is running",
    Transition.SEND_INTERRUPT: "a message that stops the running turn",
    Transition.SEND_STEER: "a message that joins the running turn before its next model call",
    Transition.EDIT_MESSAGE: "a message is replaced; what came after it is deleted, the queue included",
    Transition.DELETE_QUEUED: "a waiting message is taken out of the queue",
    Transition.PROMOTE_QUEUED: "a waiting message is to be answered next; a running turn is stopped",
    Transition.PLACE_STEERING: "that model call is due",
    Transition.INTERRUPT: "the user stops the turn, or ends its waiting for an action",
    Transition.ARCHIVE: "the user archives the chat",
    Transition.UNARCHIVE: "the user unarchives the chat",
    Transition.REQUEST_COMPACTION: "the user wants the conversation summarized; no answer follows",
    Transition.CLEAR_CONTEXT: "the user lets the model forget the conversation so far",
    Transition.COMMIT_STEP: "an answer of the model, or the results of its tool calls, enter history",
    Transition.ENTER_REQUIRES_ACTION: "all open calls wait for their client's result or a person's approval",
    Transition.COMPLETE_REQUIRES_ACTION: "results or approvals have come; the chat waits for the others",
    Transition.CANCEL_REQUIRES_ACTION: "nobody has answered until the deadline",
    Transition.FINISH_TURN: "the last step asked for nothing more; the oldest waiting message is next",
    Transition.FINISH_INTERRUPTION: "nothing of the stopped turn runs any more; the same",
    Transition.FINISH_ERROR: "the model cannot be reached, or refuses, for good",
    Transition.RECONCILE_INVALID_STATE: "a person brings a chat back that is in no state of the table",
}

_OPENING = """\
# The states of a chat

Drawn from `workflows/chat/machine.py` by `make docs`; do not edit.

A chat is in one of these states, which follow from three things in its row: the status, whether messages wait
in its queue, and whether it is archived. Every other combination is `Invalid`: no transition leads there, and
one, `ReconcileInvalidState`, leads out.
"""

_MATRIX = """\
## Transitions

What is not in the table is refused and changes nothing; the API answers 409 (400 to a message for an archived
chat). Where there are two states, it depends on whether more messages wait, or more decisions about calls.
"""

_DIAGRAM = """\
## Diagram

`X` states are left out: each is reached from the state of its name by `SetArchived(true)`, and left to it by
`SetArchived(false)`.
"""


def page() -> str:
    """The whole page."""
    return "\n".join(
        [_OPENING, _states(), "", _MATRIX, _matrix(), "", _causes(), "", _DIAGRAM, _diagram(), ""]
    )


def _states() -> str:
    rows: list[tuple[str, ...]] = []
    for archived, status, queued in product((False, True), ChatStatus, (0, 1)):
        state = ChatState(status=status, archived=archived, queued=queued)
        if state.name is not StateName.INVALID:
            name, queue = f"`{state.name}`", "not empty" if queued else "empty"
            rows.append((name, status, queue, "yes" if archived else "no", MEANING[state.name]))
    return _table(("State", "Status", "Queue", "Archived", "Meaning"), rows)


def _matrix() -> str:
    names = list(StateName)
    rows = [
        (f"`{transition}`", *(" or ".join(f"`{to}`" for to in cells.get(name, ())) for name in names))
        for transition, cells in MATRIX.items()
        if cells
    ]
    return _table(("", *(f"`{name}`" for name in names)), rows)


def _causes() -> str:
    return _table(("Transition", "Cause"), [(f"`{transition}`", CAUSE[transition]) for transition in MATRIX])


def _diagram() -> str:
    edges: dict[tuple[str, str], list[str]] = {("[*]", StateName.R0): [Transition.CREATE]}
    for transition, cells in MATRIX.items():
        if transition in (Transition.ARCHIVE, Transition.UNARCHIVE):
            continue
        for before, afters in cells.items():
            for after in afters:
                edges.setdefault((before, after), []).append(transition)
    drawn = [f"    {before} --> {after}: {', '.join(why)}" for (before, after), why in edges.items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", *drawn, "```"])


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(page())
