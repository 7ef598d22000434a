"""When the answer to a message is there, told from a chat's events. Pure: no clock, no connection."""

from dataclasses import dataclass

from perdure.client.errors import MessageWithdrawn, TurnFailed
from perdure.client.events import ErrorEvent, Event, MessageEvent, QueueEvent, StatusEvent
from perdure.client.shapes import Message, QueuedMessage


@dataclass(frozen=True)
class Answer:
    """What a turn ended with.

    Attributes:
        message: The model's last message; None if it was stopped before it said anything.
        interrupted: The turn was seen to be stopped. One that stops very fast may not be seen to.
    """

    message: Message | None
    interrupted: bool = False

    @property
    def text(self) -> str:
        """Its words."""
        return self.message.text if self.message else ""


def at_rest(event: Event) -> bool:
    """Whether this event says that a chat rests. What is wrong with it follows its status."""
    match event:
        case StatusEvent(status=state):
            return state.status == "waiting"
        case ErrorEvent():
            return True
        case _:
            return False


class TurnWatch:
    """Waits for the end of the turn that answers a message.

    It ends when the chat rests, or when the next message of a user enters history after an answer without
    tool calls. (One that comes while tools run has joined the turn: it was sent to steer it.)

    Args:
        message_id: Of the message in history; None while it is queued.
        queued: The message in the queue.
        to_rest: End only when the chat rests.
    """

    def __init__(
        self, message_id: int | None, queued: QueuedMessage | None = None, *, to_rest: bool = False
    ) -> None:
        self._message_id = message_id
        self._queued = queued
        self._to_rest = to_rest
        self._answer: Message | None = None
        self._interrupted = False

    def take(self, event: Event) -> Answer | None:
        """The answer, if with this event it is complete.

        Raises:
            TurnFailed: The turn ended in an error.
            MessageWithdrawn: The message has left the queue, and is not in history.
        """
        match event:
            case MessageEvent(message=message):
                return self._message(message)
            case QueueEvent(queued_messages=queue):
                waits = self._queued is not None and self._queued.id in [one.id for one in queue]
                if self._message_id is None and not waits:
                    raise MessageWithdrawn("The message was taken out of the queue before its turn came.")
            case StatusEvent(status=state):
                return self._status(state.status)
            case ErrorEvent(error=failure):
                raise TurnFailed(failure)
            case _:
                pass
        return None

    def _message(self, message: Message) -> Answer | None:
        if self._message_id is None:
            if message.role == "user" and self._queued and message.content == self._queued.content:
                self._message_id, self._interrupted = message.id, False
        elif message.id > self._message_id:
            if message.role == "assistant":
                self._answer = message
            elif message.role == "user" and not self._to_rest and self._answered():
                return self._whole()
        return None

    def _answered(self) -> bool:
        if self._interrupted:
            return True
        return self._answer is not None and all(part.type != "tool-call" for part in self._answer.content)

    def _status(self, status: str) -> Answer | None:
        if status == "interrupting":
            self._interrupted = True
        elif status == "waiting":
            if self._message_id is None:
                raise MessageWithdrawn("The message was taken out of the queue before its turn came.")
            return self._whole()
        return None

    def _whole(self) -> Answer:
        return Answer(self._answer, self._interrupted)
