"""What is said between a worker and the agent in a sandbox.

A stream of lines, each one JSON object. A connection carries one request: the agent says `Hello`, the client
its request as `{"op": name, ...}`, the agent answers `{"ok": ...}` or `{"error": text, "kind": ...}` and
closes. A client that goes away takes back its request to wait, but nothing that was begun.

Whatever changes something carries a `Key`. An agent performs a key once; asked again, it gives the answer
it gave before. The agent never trusts the network it is reached by: the socket is the permission.

This module is all that both sides share. It needs the standard library only.
"""

import json
import types
import typing
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any, ClassVar, Literal, TypeVar

VERSION = 1

MAX_LINE_BYTES = 16 * 1024 * 1024
"""The longest line either side accepts."""

MAX_FETCHED_BYTES = 10 * 1024 * 1024
"""Of a file that is sent whole; in base64 it fits into a line."""

HEAD_BYTES = TAIL_BYTES = 16 * 1024
"""What is kept of a process's output: its beginning and its end."""

MAX_OUTPUT_LINE_BYTES = 2048

FailureKind = Literal["invalid", "not_found", "conflict", "unknown", "failed"]
"""`invalid`: the request makes no sense. `not_found`: no such process. `conflict`: the key was used for
something else. `unknown`: it cannot be told any more what came of the key. `failed`: it could not be done."""

Signal = Literal["terminate", "kill"]
ProcessState = Literal["running", "exited", "lost"]


class ProtocolError(Exception):
    """The other side said something that this protocol does not have."""


@dataclass(frozen=True)
class Hello:
    """The agent's first words.

    Attributes:
        instance: a name of this run of the agent; another one means that it was started anew.
        home: the directory that is home, and where commands start.
    """

    version: int
    instance: str
    home: str


@dataclass(frozen=True)
class Key:
    """Names an act that must not happen twice.

    Attributes:
        id: the act, among all of this workspace.
        digest: what is to be done; the same id with another digest is refused.
        attach_only: do nothing new, only tell what came of it.
    """

    id: str
    digest: str
    attach_only: bool = False


@dataclass(frozen=True)
class Start:
    """Start `sh -c command`. Answer: `Process`."""

    op: ClassVar[str] = "start"
    key: Key
    command: str
    workdir: str | None = None
    background: bool = False
    environment: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class ReadOutput:
    """Wait for the end of a process, at most this long. Answer: `Output`."""

    op: ClassVar[str] = "output"
    process_id: str
    wait_seconds: float = 0.0


@dataclass(frozen=True)
class ListProcesses:
    """Answer: `Processes`."""

    op: ClassVar[str] = "list"


@dataclass(frozen=True)
class SendSignal:
    """Signal a process and all it started in its group. Answer: `Done`."""

    op: ClassVar[str] = "signal"
    key: Key
    process_id: str
    signal: Signal


@dataclass(frozen=True)
class Cancel:
    """Kill what was started under a key, and refuse the key from now on. Answer: `Done`."""

    op: ClassVar[str] = "cancel"
    key_id: str


@dataclass(frozen=True)
class ReadFile:
    """Read lines of a text file. Answer: `FileLines`.

    Attributes:
        offset: first line, from 1.
        limit: how many lines.
    """

    op: ClassVar[str] = "read_file"
    path: str
    offset: int = 1
    limit: int = 2000


@dataclass(frozen=True)
class FetchFile:
    """Read a whole file, whatever is in it, of at most `MAX_FETCHED_BYTES`. Answer: `FileContent`."""

    op: ClassVar[str] = "fetch_file"
    path: str


@dataclass(frozen=True)
class WriteFile:
    """Write a whole file; directories are made as needed. Answer: `Done`."""

    op: ClassVar[str] = "write_file"
    key: Key
    path: str
    content: str


@dataclass(frozen=True)
class Edit:
    """Replace a text that occurs exactly once, or, with `replace_all`, at least once."""

    search: str
    replace: str
    replace_all: bool = False


@dataclass(frozen=True)
class FileEdits:
    """Edits of one file, applied in order."""

    path: str
    edits: list[Edit]


@dataclass(frozen=True)
class EditFiles:
    """Edit files, all or none. Answer: `Done`."""

    op: ClassVar[str] = "edit_files"
    key: Key
    files: list[FileEdits]


@dataclass(frozen=True)
class Shutdown:
    """End the agent and every process. Answer: `Done`."""

    op: ClassVar[str] = "shutdown"


@dataclass(frozen=True)
class Done:
    """It is done.

    Attributes:
        message: what exactly, where that is worth saying.
    """

    message: str = ""


@dataclass(frozen=True)
class Process:
    """A process that was started here.

    Attributes:
        state: `lost`: the agent that ran it died, and with it the process; how far it came is unknown.
        exit_code: negative for a signal; None unless it exited.
        started_at, exited_at: in UTC, as ISO 8601.
    """

    id: str
    command: str
    workdir: str
    background: bool
    state: ProcessState
    started_at: str
    exit_code: int | None = None
    exited_at: str | None = None


@dataclass(frozen=True)
class Processes:
    """All processes that are known, oldest first."""

    processes: list[Process]


@dataclass(frozen=True)
class Output:
    """What a process wrote so far, to stdout and stderr together.

    Attributes:
        head: the first `HEAD_BYTES`, lines cut at `MAX_OUTPUT_LINE_BYTES`.
        tail: the last `TAIL_BYTES`, as far as they are not in `head`.
        original_bytes: all it wrote.
        retained_bytes: of those, what is in head and tail.
    """

    process: Process
    head: str
    tail: str
    original_bytes: int
    retained_bytes: int


@dataclass(frozen=True)
class FileLines:
    """Lines of a file, each with its number in front."""

    content: str
    file_size: int
    total_lines: int
    lines_read: int


@dataclass(frozen=True)
class FileContent:
    """All of a file, in base64."""

    data: str


@dataclass(frozen=True)
class Refused:
    """The request could not be fulfilled; the text says why, and what to do."""

    error: str
    kind: FailureKind


Request = (
    Start
    | ReadOutput
    | ListProcesses
    | SendSignal
    | Cancel
    | ReadFile
    | FetchFile
    | WriteFile
    | EditFiles
    | Shutdown
)
Answer = Done | Process | Processes | Output | FileLines | FileContent

_REQUESTS: dict[str, type[Request]] = {kind.op: kind for kind in typing.get_args(Request)}
_AnswerT = TypeVar("_AnswerT", bound=Hello | Answer)


def encode_hello(hello: Hello) -> bytes:
    return _line(asdict(hello))


def decode_hello(line: bytes) -> Hello:
    """Read the agent's greeting.

    Raises:
        ProtocolError: it is not one, or one of another version.
    """
    hello = _build(Hello, _parse(line))
    if hello.version != VERSION:
        raise ProtocolError(f"the agent speaks version {hello.version} of the protocol, not {VERSION}")
    return hello


def encode_request(request: Request) -> bytes:
    return _line({"op": request.op, **asdict(request)})


def decode_request(line: bytes) -> Request:
    """Read a request.

    Raises:
        ProtocolError: it is none.
    """
    data = _parse(line)
    kind = _REQUESTS.get(str(data.pop("op", None)))
    if kind is None:
        raise ProtocolError("there is no such request")
    return _build(kind, data)


def encode_answer(answer: Answer | Refused) -> bytes:
    return _line(asdict(answer) if isinstance(answer, Refused) else {"ok": asdict(answer)})


def decode_answer(line: bytes, kind: type[_AnswerT]) -> _AnswerT | Refused:
    """Read the answer to a request that is answered with a `kind`.

    Raises:
        ProtocolError: it is neither that nor a refusal.
    """
    data = _parse(line)
    return _build(kind, data["ok"]) if "ok" in data else _build(Refused, data)


def load(kind: type[_AnswerT], data: Any) -> _AnswerT:
    """Rebuild what `asdict` took apart.

    Raises:
        ProtocolError: this is something else.
    """
    return _build(kind, data)


def _line(data: dict[str, Any]) -> bytes:
    # a lone half of a surrogate pair is not text that UTF-8 has
    return json.dumps(data, ensure_ascii=False).encode(errors="replace") + b"\n"


def _parse(line: bytes) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except ValueError as error:
        raise ProtocolError(f"this is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise ProtocolError("this is not a JSON object")
    return typing.cast("dict[str, Any]", data)


_BuiltT = TypeVar("_BuiltT")


def _build(kind: type[_BuiltT], data: Any) -> _BuiltT:
    """An object of a class from its fields; those that it does not have are left out."""
    if not isinstance(data, dict):
        raise ProtocolError(f"{kind.__name__} must be an object")
    given = typing.cast("dict[str, Any]", data)
    hints = typing.get_type_hints(kind)
    known = {item.name for item in fields(typing.cast("Any", kind))}
    values = {
        name: _value(f"{kind.__name__}.{name}", hints[name], value)
        for name, value in given.items()
        if name in known
    }
    try:
        return kind(**values)
    except TypeError as error:
        raise ProtocolError(str(error)) from None


def _value(place: str, hint: Any, value: Any) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if is_dataclass(hint):
        return _build(typing.cast("type[Any]", hint), value)
    if origin is list and isinstance(value, list):
        return [_value(place, inner[0], item) for item in typing.cast("list[Any]", value)]
    if origin is dict and isinstance(value, dict):
        items = typing.cast("dict[Any, Any]", value)
        return {key: _value(place, inner[1], item) for key, item in items.items()}
    if origin is types.UnionType:
        return None if value is None else _value(place, inner[0], value)
    if origin is Literal and value in inner:
        return value
    if hint is float and type(value) is int:
        return float(value)
    if isinstance(hint, type) and type(value) is hint:
        return value
    raise ProtocolError(f"{place} is not what it should be")
