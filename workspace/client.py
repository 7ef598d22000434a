"""The workspace of a chat, as tools use it."""

import asyncio
from base64 import b64decode
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from workspace import protocol
from workspace.claims import Claim, Claims
from workspace.connection import Connection, connected
from workspace.errors import (
    ConnectionLost,
    KeyConflict,
    OutcomeUnknown,
    ProcessNotFound,
    WorkspaceError,
    WorkspaceUnreachable,
)
from workspace.layout import Layout
from workspace.protocol import Done, FileContent, FileEdits, FileLines, Key, Output, Process, Refused, Signal
from workspace.sandbox import Sandbox

_AnswerT = TypeVar("_AnswerT", bound=protocol.Answer)
_KeyedRequest = protocol.Start | protocol.SendSignal | protocol.WriteFile | protocol.EditFiles

_ANSWER_SECONDS = 30.0
"""How long an agent may take beyond what it was asked to wait for."""

_FAILURES: dict[protocol.FailureKind, type[WorkspaceError]] = {
    "not_found": ProcessNotFound,
    "conflict": KeyConflict,
    "unknown": OutcomeUnknown,
}


class Workspace:
    """Files and processes of one chat.

    Whatever changes something takes the id of the call it is done for. The same call made again, by this
    worker or another, gets the answer of the first and changes nothing: a process is found again, not
    started again. Where the answer is lost, `OutcomeUnknown` is raised.

    Every method may raise `WorkspaceError`: `WorkspaceUnreachable` where the agent could not be reached,
    `KeyConflict` where a call id was used for something else before.
    """

    def __init__(self, layout: Layout, sandbox: Sandbox) -> None:
        self._layout = layout
        self._sandbox = sandbox
        self._claims = Claims(layout.claims)

    async def start(
        self,
        call_id: str,
        command: str,
        *,
        workdir: str | None = None,
        background: bool = False,
        environment: dict[str, str] | None = None,
    ) -> Process:
        """Start `sh -c command`, which then runs until it ends or is killed, whatever happens to us."""
        key = key_of_start(call_id, command, workdir, background=background)
        request = protocol.Start(key, command, workdir, background, environment or {})
        return await self._once(request, key, Process)

    async def read_output(self, process_id: str, wait_seconds: float = 0.0) -> Output:
        """What a process wrote, once it has ended or the time is over.

        Raises:
            ProcessNotFound: there is none with this id.
        """
        request = protocol.ReadOutput(process_id, wait_seconds)
        return await self._ask(request, Output, wait_seconds + _ANSWER_SECONDS)

    async def list_processes(self) -> list[Process]:
        """All that are remembered, oldest first."""
        return (await self._ask(protocol.ListProcesses(), protocol.Processes)).processes

    async def signal(self, call_id: str, process_id: str, signal: Signal) -> str:
        """Signal a process and its group; returns what was done.

        Raises:
            ProcessNotFound: there is none with this id.
        """
        request = protocol.SendSignal(_key(call_id, "signal", process_id, signal), process_id, signal)
        return (await self._once(request, request.key, Done)).message

    async def cancel(self, call_id: str) -> None:
        """Kill the process that was started for a call; if it was not yet, it never will be."""
        try:
            async with connected(self._layout, None) as connection:
                await _exchange(connection, protocol.Cancel(call_id), Done, _ANSWER_SECONDS)
        except WorkspaceUnreachable:
            return  # without its agent no process lives

    async def read_file(self, path: str, offset: int, limit: int) -> FileLines:
        """Lines of a text file, numbered."""
        return await self._ask(protocol.ReadFile(path, offset, limit), FileLines)

    async def fetch_file(self, path: str) -> bytes:
        """A whole file, whatever is in it, of at most 10 MiB."""
        content = await self._ask(protocol.FetchFile(path), FileContent)
        return await asyncio.to_thread(b64decode, content.data)

    async def write_file(self, call_id: str, path: str, content: str) -> None:
        """Write a whole file, and make the directories it needs."""
        request = protocol.WriteFile(_key(call_id, "write_file", path, content), path, content)
        await self._once(request, request.key, Done)

    async def edit_files(self, call_id: str, files: list[FileEdits]) -> None:
        """Edit files, all or none."""
        key = _key(call_id, "edit_files", *(asdict(file) for file in files))
        await self._once(protocol.EditFiles(key, files), key, Done)

    async def shut_down(self) -> None:
        """End the agent, if it runs, and with it every process."""
        await _shut_down(self._layout)

    async def _ask(
        self, request: protocol.Request, kind: type[_AnswerT], seconds: float = _ANSWER_SECONDS
    ) -> _AnswerT:
        """Ask what changes nothing, so that it may be asked again when the connection breaks."""
        try:
            async with connected(self._layout, self._sandbox) as connection:
                return await _exchange(connection, request, kind, seconds)
        except ConnectionLost:
            async with connected(self._layout, self._sandbox) as connection:
                return await _exchange(connection, request, kind, seconds)

    async def _once(
        self,
        request: _KeyedRequest,
        key: Key,
        kind: type[_AnswerT],
    ) -> _AnswerT:
        try:
            return await self._ask_once(request, key, kind)
        except ConnectionLost:  # asking again does nothing twice
            return await self._ask_once(request, key, kind)

    async def _ask_once(self, request: _KeyedRequest, key: Key, kind: type[_AnswerT]) -> _AnswerT:
        async with connected(self._layout, self._sandbox) as connection:
            claim = Claim(key.digest, connection.hello.instance)
            first = await asyncio.to_thread(self._claims.take, key.id, claim)
            if first and first.digest != key.digest:
                raise KeyConflict(f"The call {key.id} was made before with other arguments.")
            if first and first.instance != claim.instance:
                request = replace(request, key=replace(key, attach_only=True))
            return await _exchange(connection, request, kind, _ANSWER_SECONDS)


class Workspaces:
    """The workspaces of all chats, in one directory."""

    def __init__(self, root: Path, sandbox: Sandbox) -> None:
        self._root = root.absolute()
        self._sandbox = sandbox

    def of(self, chat_id: UUID) -> Workspace:
        """The workspace of a chat; it comes to be at its first use."""
        return Workspace(self.layout(chat_id), self._sandbox)

    def layout(self, chat_id: UUID) -> Layout:
        """Where it is on the host."""
        return Layout(self._root / str(chat_id))


async def shut_down_all(root: Path) -> None:
    """End every agent that runs, of the workspaces in a directory."""
    sockets = await asyncio.to_thread(lambda: list(root.glob("*/agent.sock")))
    await asyncio.gather(*(_shut_down(Layout(socket.parent)) for socket in sockets))


async def _shut_down(layout: Layout) -> None:
    try:
        async with connected(layout, None) as connection:
            await _exchange(connection, protocol.Shutdown(), Done, _ANSWER_SECONDS)
    except WorkspaceError:
        return  # there is none, or it has gone


async def _exchange(
    connection: Connection, request: protocol.Request, kind: type[_AnswerT], seconds: float
) -> _AnswerT:
    try:
        async with asyncio.timeout(seconds):
            line = await connection.exchange(request)
        answer = protocol.decode_answer(line, kind)
    except TimeoutError:
        raise WorkspaceUnreachable(f"The workspace did not answer within {seconds:.0f} s.") from None
    except protocol.ProtocolError as error:
        raise WorkspaceUnreachable(f"The workspace cannot be understood: {error}") from error
    if isinstance(answer, Refused):
        raise _FAILURES.get(answer.kind, WorkspaceError)(answer.error)
    return answer


def key_of_start(call_id: str, command: str, workdir: str | None = None, *, background: bool = False) -> Key:
    """The key under which `Workspace.start` starts a command."""
    return _key(call_id, "start", command, workdir, background)


def _key(call_id: str, *what: object) -> Key:
    return Key(call_id, sha256(repr(what).encode(errors="surrogatepass")).hexdigest())
