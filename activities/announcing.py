"""Which hints a committed change gives to the owner's lists. Pure.

They follow from the write or the state alone, not from what this very attempt has changed: the attempt after
one that died behind its commit gives them, too.
"""

from uuid import UUID

from models.chat_state import ChatState, ChatStatus, status_of
from models.hints import INBOX_KINDS, Hint, HintKind
from models.turns import Commit, Compaction, Write


def hints_of_write(commit: Commit, state: ChatState) -> tuple[Hint, ...]:
    """For a transition that was applied and has led to `state`."""
    if state.owner_id is None:
        return ()
    write, owner, chat = commit.write, state.owner_id, commit.chat_id
    if write.reconcile:
        return (Hint(owner, chat, HintKind.STATUS_CHANGE),)
    status, archived = status_of(write.expect)
    if write.archived != archived:
        return (Hint(owner, chat, HintKind.DELETED if write.archived else HintKind.CREATED),)
    hints: list[Hint] = []
    if _shows(write, status):
        hints.append(Hint(owner, chat, HintKind.STATUS_CHANGE))
    if write.action_seconds is not None and state.status is ChatStatus.REQUIRES_ACTION:
        hints.append(Hint(owner, chat, HintKind.ACTION_REQUIRED))
    if write.finishes_turn:
        kind = HintKind.NOTIFIED if write.promote_head else HintKind.TURN_FINISHED
        hints.append(Hint(owner, chat, kind, write.expect_turn))
    return tuple(hints)


def _shows(write: Write, status: ChatStatus) -> bool:
    """Whether the chat list shows the write: steering messages that take their place do not."""
    moved = write.status is not status or write.turn != write.expect_turn
    promoted = write.raise_queued is not None
    return moved or promoted or write.draft is not None or write.request_compaction or write.clear_context


def hints_of_step(chat_id: UUID, state: ChatState) -> tuple[Hint, ...]:
    """For a step, or its results, that was committed, or failed, and has left `state`."""
    if state.owner_id is None or not state.at_rest:
        return ()
    kind = HintKind.NOTIFIED if state.status is ChatStatus.ERROR else HintKind.TURN_FINISHED
    return (
        Hint(state.owner_id, chat_id, HintKind.STATUS_CHANGE),
        Hint(state.owner_id, chat_id, kind, state.turn),
    )


def hints_of_compaction(compaction: Compaction, state: ChatState) -> tuple[Hint, ...]:
    """For a compaction that was committed, or given up, and has left `state`. One that a person asked for
    ends no turn: the inbox hears nothing of it."""
    hints = hints_of_step(compaction.chat_id, state)
    return tuple(hint for hint in hints if hint.kind not in INBOX_KINDS) if compaction.manual else hints


def hints_of_summary(chat_id: UUID, state: ChatState) -> tuple[Hint, ...]:
    """For a compaction: its summary is the chat's, too."""
    if state.owner_id is None:
        return ()
    return (Hint(state.owner_id, chat_id, HintKind.CHAT_SUMMARY_CHANGE),)
