"""The agent's end of the protocol."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Coroutine
from pathlib import Path
from uuid import uuid4

from workspace import protocol
from workspace.agent.files import Files
from workspace.agent.once import Acts
from workspace.agent.processes import ProcessTable
from workspace.agent.records import Records
from workspace.protocol import Answer, Done, Hello, Process, ProtocolError, Refused


class Agent:
    """Answers requests until it is told to stop, or has been idle for long.

    Args:
        home: where files and commands are.
        records: a directory for what the next agent must know.
        idle_seconds: it ends after this long without a process and without a request.
    """

    def __init__(self, home: Path, records: Path, idle_seconds: float) -> None:
        kept = Records(records)
        self._hello = Hello(protocol.VERSION, uuid4().hex, str(home))
        self._files = Files(home)
        self._acts = Acts(kept)
        self._processes = ProcessTable(home, kept, self._rest)
        self._idle_seconds = idle_seconds
        self._idle_timer: asyncio.TimerHandle | None = None
        self._connections = 0
        self._ending = False
        self._over = asyncio.Event()

    async def serve(self, listener: socket.socket) -> None:
        """Answer whoever connects."""
        server = await asyncio.start_unix_server(self._converse, sock=listener, limit=protocol.MAX_LINE_BYTES)
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._processes.reap)
        self._rest()
        await self._over.wait()
        server.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._ending:  # without a greeting the client knows that nothing was heard
            writer.close()
            return
        self._connections += 1
        try:
            writer.write(protocol.encode_hello(self._hello))
            line = await reader.readline()
            if line.endswith(b"\n"):
                answer = await _unless_gone(reader, self._respond(line))
                writer.write(protocol.encode_answer(answer))
                await writer.drain()
        except (OSError, ValueError, _Gone):
            pass  # whoever asked has gone, or talks without end
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            self._connections -= 1
            self._rest()

    async def _respond(self, line: bytes) -> Answer | Refused:
        try:
            request = protocol.decode_request(line)
        except ProtocolError as error:
            return Refused(str(error), "invalid")
        match request:
            case protocol.Start():
                return self._acts.once(request.key, lambda: self._processes.start(request))
            case protocol.ReadOutput():
                return await self._processes.read(request.process_id, request.wait_seconds)
            case protocol.ListProcesses():
                return self._processes.list()
            case protocol.SendSignal():
                return self._acts.once(request.key, lambda: self._processes.signal(request))
            case protocol.ReadFile() | protocol.FetchFile():
                return self._files.read(request)
            case protocol.WriteFile():
                return self._acts.once(request.key, lambda: self._files.write(request))
            case protocol.EditFiles():
                return self._acts.once(request.key, lambda: self._files.edit(request))
            case protocol.Cancel():
                begun = self._acts.refuse(request.key_id)
                if isinstance(begun, Process):
                    self._processes.kill(begun.id)
                return Done()
            case protocol.Shutdown():
                self._ending = True  # once this answer is on its way
                return Done()

    def _rest(self) -> None:
        """Look whether there is anything to do, and if not, start to wait for the end."""
        if self._idle_timer:
            self._idle_timer.cancel()
            self._idle_timer = None
        if self._ending:
            self._over.set()
        elif not self._connections and not self._processes.any_running:
            loop = asyncio.get_running_loop()
            self._idle_timer = loop.call_later(self._idle_seconds, self._end_if_idle)

    def _end_if_idle(self) -> None:
        if not self._connections and not self._processes.any_running:
            self._over.set()


class _Gone(Exception):
    """The client closed the connection."""


async def _unless_gone(
    reader: asyncio.StreamReader, response: Coroutine[None, None, Answer | Refused]
) -> Answer | Refused:
    """The response, as long as somebody waits for it.

    Raises:
        _Gone: nobody does any more.
    """
    answering = asyncio.ensure_future(response)
    leaving = asyncio.ensure_future(reader.read(1))
    await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
    leaving.cancel()
    if answering.done():
        return answering.result()
    answering.cancel()
    raise _Gone
