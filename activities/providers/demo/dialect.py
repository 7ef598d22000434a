"""What the server needs of a wire protocol: one script is spoken in three of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from activities.providers.demo.conversation import Conversation
from activities.providers.demo.faults import Cut, ErrorEventFault, PieceKind, StatusFault
from activities.providers.demo.script import Step


class InvalidRequest(Exception):
    """The request breaks a rule of its protocol; answered as the vendor would, in about its words.

    Attributes:
        status: HTTP status of the answer.
        code: machine-readable reason, where the vendor gives one.
        param: the parameter that is at fault, where the vendor names it.
    """

    def __init__(
        self, message: str, *, code: str | None = None, param: str | None = None, status: int = 400
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param


@dataclass(frozen=True, slots=True)
class Piece:
    """One delta. Its frame also carries what must precede it: the end of a block, the start of its own."""

    kind: PieceKind
    frame: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, encoded before its first byte is sent, so that a piece costs next to nothing.

    Attributes:
        whole: the same for a client that did not ask for a stream.
    """

    opening: bytes
    pieces: tuple[Piece, ...]
    closing: bytes
    whole: dict[str, Any]


class Dialect(Protocol):
    """A wire protocol: how a request is read, and how an answer and an error look."""

    bad_frame: bytes
    """An event whose data is not JSON."""

    def refuse(self, headers: Mapping[str, str]) -> InvalidRequest | None:
        """The refusal of a request that is not even looked at."""
        ...

    def read(self, body: Any) -> Conversation:
        """Read and check a decoded body.

        Raises:
            InvalidRequest: it breaks a rule.
        """
        ...

    def answer(self, step: Step, conversation: Any, *, number: int, size: int, seed: str) -> Answer:
        """Encode a step.

        Args:
            conversation: what `read` has returned.
            number: of the request, from 1; the id of the answer is made of it.
            size: of the body in bytes, from which tokens are computed.
            seed: tool call ids are derived from it.
        """
        ...

    def refusal(self, refused: InvalidRequest, request_id: str) -> dict[str, Any]: ...

    def status_body(self, fault: StatusFault, request_id: str) -> dict[str, Any]: ...

    def error_event(self, fault: ErrorEventFault, request_id: str) -> bytes:
        """What ends a stream that began well."""
        ...


def position(answer: Answer, cut: Cut) -> int:
    """How many pieces of the answer are sent before the place `cut` is reached."""
    if cut.after_pieces == 0:
        return 0
    left = cut.after_pieces
    for index, piece in enumerate(answer.pieces):
        left -= piece.kind == cut.of
        if left == 0:
            return index + 1
    return len(answer.pieces)
