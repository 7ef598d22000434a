"""What the readers of a chat have been told, and what follows for them from rows and entries.

No input and no output: rows and entries go in, events come out (spec api.md 6.2).
"""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import orjson

from api.payloads import message_payload, pending_payload, queued_payload
from api.streaming.events import Event, Position, event
from models.chat_state import Awaited, ChatStatus
from models.store.messages import MessageRecord, QueuedRecord
from models.store.views import ChatView, PendingCall
from models.stream import EPISODE_MAX_BYTES, Episode, Preview

_AT_REST = (ChatStatus.WAITING, ChatStatus.ERROR)
_AT_WORK = (ChatStatus.RUNNING, ChatStatus.INTERRUPTING)


@dataclass(frozen=True, slots=True)
class Change:
    """What a view has that readers do not know yet, in the order in which they are told."""

    start: Position
    end: Position
    history_reset: bool
    messages: list[MessageRecord]
    queue: list[QueuedRecord] | None
    status: ChatStatus | None
    error: dict[str, Any] | None
    pending_calls: list[PendingCall]
    retry: dict[str, Any] | None
    preview_reset: bool


class NeedsRows(Exception):
    """An entry speaks of rows that have not been read yet."""


class Projection:
    """One chat as its readers know it, with the parts of the episode in flight.

    Attributes:
        snapshot_version: Version of the newest view taken in.
        position: Where a reader is who has been told everything.
        parts: The episode's events so far, for those who join later.
    """

    def __init__(self, chat_id: UUID) -> None:
        self.chat_id = chat_id
        self.snapshot_version = 0
        self.queue_version = 0
        self.position = Position()
        self.parts: list[Event] = []
        self._retry_state_version = 0
        self._status: ChatStatus | None = None
        self._error_told_at = -1
        self._calls_told: tuple[int, tuple[tuple[str, Awaited], ...]] = (-1, ())
        self._part_bytes = 0

    @property
    def history_version(self) -> int:
        return self.position.history_version

    @property
    def episode(self) -> Episode:
        return Episode(self.position.history_version, self.position.generation_attempt)

    def take_in(self, view: ChatView, *, told_up_to: int = 0) -> Change:
        """Move on to a view.

        Args:
            told_up_to: Messages up to this id are known to the reader from before, unless they changed.
        """
        history_changed = view.history_version != self.history_version
        history_reset = view.cut if self.history_version > 0 else view.cursor_cut and told_up_to > 0
        told_up_to = 0 if history_reset else max(self.position.message_id, told_up_to)
        rows = [
            row
            for revision, row in view.messages
            if history_reset or self._is_news(revision, row.id, view, told_up_to)
        ]
        attempt_changed = view.generation_attempt not in (0, self.position.generation_attempt)
        # what a failed attempt has shown is in no row, and nothing will follow it
        abandoned = view.status in _AT_REST and self.position.seq > 0
        reset = history_changed or attempt_changed or abandoned
        if reset:
            self._begin_episode(Episode(view.history_version, view.generation_attempt))
        self.position = replace(self.position, message_id=view.last_message_id)
        error = None
        if view.status is ChatStatus.ERROR and self._error_told_at != view.history_version:
            self._error_told_at = view.history_version
            error = view.last_error
        calls = (view.history_version, tuple((one.call.id, one.awaits) for one in view.pending_calls))
        asks = bool(view.pending_calls) and calls != self._calls_told
        self._calls_told = calls
        change = Change(
            start=replace(self.position, message_id=told_up_to),
            end=self.position,
            history_reset=history_reset,
            messages=rows,
            queue=view.queue if view.queue_version > self.queue_version else None,
            status=view.status if view.status is not self._status else None,
            error=error,
            pending_calls=view.pending_calls if asks else [],
            retry=view.retry_state if view.retry_state_version > self._retry_state_version else None,
            preview_reset=reset,
        )
        self.snapshot_version = view.snapshot_version
        self.queue_version = view.queue_version
        self._retry_state_version = view.retry_state_version
        self._status = view.status
        if view.status not in _AT_WORK:
            self._forget_parts()
        return change

    def _is_news(self, revision: int, message_id: int, view: ChatView, told_up_to: int) -> bool:
        """Whether a message is new to readers, or has changed since they were told of it."""
        if self.history_version > 0:
            return revision > self.history_version
        changed = view.cursor_revision is not None and revision > view.cursor_revision
        return message_id > told_up_to or changed

    def preview(self, entry: Preview) -> list[Event]:
        """Take in parts of a step in flight.

        Parts heard before are dropped, and so is what follows a gap: the rows will bring it.

        Raises:
            NeedsRows: The entry belongs to a history newer than the one known.
        """
        newer = entry.episode.newer_than(self.episode)
        if entry.episode.history_version > self.history_version or (newer and self._status not in _AT_WORK):
            raise NeedsRows
        if self.episode.newer_than(entry.episode) or self._status not in _AT_WORK:
            return []
        events: list[Event] = []
        if newer:
            self._begin_episode(entry.episode)
            events.append(event("preview_reset", self.chat_id, self.position))
        for part in entry.parts:
            body = orjson.dumps(part.part)
            if part.seq != self.position.seq + 1 or self._part_bytes + len(body) > EPISODE_MAX_BYTES:
                continue
            self.position = replace(self.position, seq=part.seq)
            self._part_bytes += len(body)
            envelope = {
                "role": part.role,
                "part": orjson.Fragment(body),
                "history_version": entry.episode.history_version,
                "generation_attempt": entry.episode.generation_attempt,
                "seq": part.seq,
            }
            told = event("message_part", self.chat_id, self.position, {"message_part": envelope})
            self.parts.append(told)
            events.append(told)
        return events

    def _begin_episode(self, episode: Episode) -> None:
        self.position = Position(
            self.position.message_id, episode.history_version, episode.generation_attempt
        )
        self._forget_parts()

    def _forget_parts(self) -> None:
        self.parts = []
        self._part_bytes = 0


def change_events(chat_id: UUID, change: Change) -> list[Event]:
    """A change as events, in the order of the specification."""
    events: list[Event] = []
    reached = change.start
    if change.history_reset:
        events.append(event("history_reset", chat_id, reached))
    for row in change.messages:
        reached = replace(reached, message_id=max(reached.message_id, row.id))
        events.append(event("message", chat_id, reached, {"message": message_payload(row)}))
    end = change.end
    if change.queue is not None:
        queue = [queued_payload(row) for row in change.queue]
        events.append(event("queue_update", chat_id, end, {"queued_messages": queue} if queue else None))
    if change.status is not None:
        events.append(event("status", chat_id, end, {"status": {"status": change.status}}))
    if change.error is not None:
        events.append(event("error", chat_id, end, {"error": change.error}))
    if change.pending_calls:
        calls = [pending_payload(pending) for pending in change.pending_calls]
        events.append(event("action_required", chat_id, end, {"action_required": {"tool_calls": calls}}))
    if change.retry is not None:
        events.append(event("retry", chat_id, end, {"retry": change.retry}))
    if change.preview_reset:
        events.append(event("preview_reset", chat_id, end))
    return events


def keeps_parts(view: ChatView, resume: Position, known: Position) -> bool:
    """Whether a reader that resumes from there has parts of the episode in flight."""
    return resume.seq > 0 and resume.same_episode(known) and view.status not in _AT_REST


def joining_events(
    chat_id: UUID, view: ChatView, after_id: int, known: Position, parts: list[Event], *, keeps: bool
) -> list[Event]:
    """What a reader is told first: the view, then the episode in flight.

    Args:
        after_id: The last message that the reader has.
        known: Where readers are who have been told everything; its episode may be newer than the view.
        parts: The episode's parts so far, those that the reader has among them.
        keeps: Whether the reader keeps the parts that it has, and so is not told to drop them.
    """
    fresh = Projection(chat_id)
    change = fresh.take_in(view, told_up_to=after_id)
    begun = {
        "history_version": known.history_version,
        "generation_attempt": known.generation_attempt,
        "seq": 0,
    }
    change = replace(
        change,
        start=replace(change.start, **begun),
        end=replace(change.end, **begun),
        preview_reset=change.preview_reset and not keeps,
    )
    return [*change_events(chat_id, change), *parts]
