"""What a stream costs its readers: the time from a model's piece to the client, and memory per idle reader.

    python -m benchmarks.streams
    python -m benchmarks.streams --readers 1 100 1000 --pieces 100 --every 0.2

A model writes the time into each piece it sends; readers in a process of their own, on raw sockets, compare
it with theirs (one machine, one monotonic clock). The baseline is a reader of the model itself, in the same
run.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import re
import socket
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from benchmarks.processes import memory_bytes
from cli.stack import Stack, StackOptions
from cli.stack.catalog import PORTS

_STAMP = re.compile(rb"t(\d{10,})")
_RESTED = b'"status":"waiting"'
_PREVIEW = b"event: message_part"
_MESSAGE = b"event: message\n"


@dataclass(frozen=True)
class Pace:
    """So many pieces, one every so many seconds."""

    pieces: int
    every: float


class StampingModel:
    """Speaks as much of the Messages API as a plain answer needs; each piece is the time of its sending."""

    def __init__(self) -> None:
        self.pace = Pace(1, 0)
        self.go = asyncio.Event()

    async def answer(self, request: Request) -> StreamingResponse:
        await request.body()
        return StreamingResponse(self._events(), media_type="text/event-stream")

    async def _events(self) -> AsyncGenerator[bytes]:
        usage = {"input_tokens": 1, "output_tokens": 1}
        message: dict[str, object] = {
            "id": "m",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": list[object](),
            "usage": usage,
        }
        yield _event("message_start", message=message)
        await self.go.wait()
        yield _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        due = time.perf_counter()
        for _ in range(self.pace.pieces):
            due += self.pace.every
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            delta = {"type": "text_delta", "text": f"t{time.monotonic_ns()} "}
            yield _event("content_block_delta", index=0, delta=delta)
        yield _event("content_block_stop", index=0)
        yield _event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage=usage)
        yield _event("message_stop")


def _event(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\ndata: ".encode() + orjson.dumps({"type": kind, **fields}) + b"\n\n"


@contextlib.asynccontextmanager
async def served(model: StampingModel) -> AsyncGenerator[str]:
    app = Starlette(routes=[Route("/v1/messages", model.answer, methods=["POST"])])
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


# --- readers, in their own process -------------------------------------------------------------------------


async def _read(request: bytes, host: str, port: int, said: asyncio.Queue[str], end: bytes) -> list[int]:
    """Nanoseconds from piece to reader, for each piece of one answer."""
    reader, writer = await asyncio.open_connection(host, port, limit=2**22)
    delays: list[int] = []
    writer.write(request)
    began = False
    try:
        while True:
            block = await _block(reader)
            now = time.monotonic_ns()
            if not began:
                began = True
                said.put_nowait("connected")
            if _MESSAGE in block:
                continue  # the whole answer again, as it is kept
            delays += [now - int(stamp) for stamp in _STAMP.findall(block)]
            if delays and end in block:
                return delays
    finally:
        writer.close()


async def _block(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\n\n")
    except asyncio.IncompleteReadError as error:
        raise RuntimeError(f"A reader was refused: {error.partial.decode()}") from None


def read_in_process(request: bytes, host: str, port: int, readers: int, end: bytes, pipe: Connection) -> None:
    """Entry of the readers' process. Says `connected` when all are, then the delays when the answer ended."""

    async def run() -> None:
        said: asyncio.Queue[str] = asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_read(request, host, port, said, end)) for _ in range(readers)]
            for _ in range(readers):
                await said.get()
            pipe.send("connected")
        pipe.send([delay for task in tasks for delay in task.result()])

    asyncio.run(run())


class Readers:
    """So many readers of one address, in a process of their own."""

    def __init__(self, request: bytes, url: str, count: int, end: bytes) -> None:
        address = urlsplit(url)
        self._pipe, theirs = multiprocessing.Pipe()
        target = (request, address.hostname, address.port, count, end, theirs)
        self._process = multiprocessing.get_context("spawn").Process(target=read_in_process, args=target)

    async def connected(self) -> None:
        self._process.start()
        await asyncio.to_thread(self._pipe.recv)

    async def delays(self) -> list[int]:
        """Nanoseconds, of all pieces at all readers."""
        delays = await asyncio.to_thread(self._pipe.recv)
        self._process.join()
        return delays

    def leave(self) -> None:
        self._process.terminate()
        self._process.join()


def _get(path: str, token: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: bench", "Accept: text/event-stream"]
    return "\r\n".join([*lines, f"Authorization: Bearer {token}", "", ""]).encode()


_BARE = b"POST /v1/messages HTTP/1.1\r\nHost: bench\r\nContent-Length: 2\r\n\r\n{}"


# --- measuring ---------------------------------------------------------------------------------------------


class Bench:
    """One stack whose only model is the stamping one."""

    def __init__(self, stack: Stack, model: StampingModel, model_url: str) -> None:
        self._stack, self._model, self._model_url = stack, model, model_url
        headers = {"Authorization": f"Bearer {stack.token}"}
        self._http = httpx2.AsyncClient(base_url=f"{stack.api_url}/api/v2", headers=headers, timeout=60)

    async def chat(self) -> str:
        """A chat whose model waits for `go`."""
        self._model.go.clear()
        me = (await self._http.get("/users/me")).json()
        body = {"organization_id": me["organization_ids"][0], "content": [{"type": "text", "text": "stamp"}]}
        answer = await self._http.post("/chats", json=body)
        answer.raise_for_status()
        return answer.json()["id"]

    def readers(self, chat: str, count: int) -> Readers:
        request = _get(f"/api/v2/chats/{chat}/stream", self._stack.token or "")
        return Readers(request, self._stack.api_url, count, _RESTED)

    async def bare(self, pace: Pace) -> list[int]:
        self._model.pace = pace
        self._model.go.clear()
        reader = Readers(_BARE, self._model_url, 1, b"message_stop")
        await reader.connected()
        self._model.go.set()
        return await reader.delays()

    async def through(self, count: int, pace: Pace) -> tuple[list[int], float]:
        """Delays at so many readers of one chat, and the seconds it took."""
        self._model.pace = pace
        chat = await self.chat()
        readers = self.readers(chat, count)
        await readers.connected()
        began = time.perf_counter()
        self._model.go.set()
        delays = await readers.delays()
        return delays, time.perf_counter() - began

    async def memory_per_reader(self, count: int) -> float:
        """Bytes of the API process that each of so many idle readers costs."""
        chat = await self.chat()
        self._model.go.set()
        pids = {"api": self._stack.pid("api")}
        first = self.readers(chat, count)
        await first.connected()  # stays: what it frees, the second crowd would get for nothing
        await asyncio.sleep(2)
        before = memory_bytes(pids)
        readers = self.readers(chat, count)
        await readers.connected()
        await asyncio.sleep(2)
        cost = (memory_bytes(pids) - before) / count
        for crowd in (first, readers):
            crowd.leave()
        return cost

    async def close(self) -> None:
        await self._http.aclose()


def _milliseconds(delays: Sequence[int]) -> tuple[float, float]:
    cut = statistics.quantiles(delays, n=100)
    return cut[49] / 1e6, cut[98] / 1e6


async def main(crowds: Sequence[int], pace: Pace) -> None:
    model = StampingModel()
    with tempfile.TemporaryDirectory() as directory:
        async with served(model) as url:
            environment = {
                **os.environ,
                "ANTHROPIC_API_KEY": "bench",
                "ANTHROPIC_BASE_URL": url,
                "PERDURE_RATE_LIMIT_PER_MINUTE": "0",
            }
            ports = {name: 0 for names in PORTS.values() for name in names}
            options = StackOptions(data_dir=Path(directory), ports=ports, environment=environment)
            async with Stack(options) as stack:
                bench = Bench(stack, model, url)
                await bench.through(1, Pace(20, 0.01))  # warms up
                bare, _ = _milliseconds(await bench.bare(pace))
                print(f"the model itself, 1 reader      median {bare:6.2f} ms")
                for crowd in crowds:
                    delays, _ = await bench.through(crowd, pace)
                    median, p99 = _milliseconds(delays)
                    print(
                        f"through Perdure, {crowd:4} readers   median {median:6.2f} ms   p99 {p99:7.2f} ms"
                        f"   (x{median / bare:.1f}; {len(delays)} pieces read)"
                    )
                delays, seconds = await bench.through(100, Pace(5000, 0))
                print(f"as fast as it goes, 100 readers {len(delays) / seconds:9.0f} pieces read per second")
                cost = await bench.memory_per_reader(1000)
                print(f"memory per idle reader          {cost / 1024:9.1f} KiB (1000 readers of one chat)")
                await bench.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What a stream costs its readers.")
    parser.add_argument("--readers", type=int, nargs="+", default=[1, 100, 1000], help="crowds (1 100 1000)")
    parser.add_argument("--pieces", type=int, default=100, help="pieces per answer (100)")
    parser.add_argument("--every", type=float, default=0.2, help="seconds between pieces (0.2)")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.readers, Pace(arguments.pieces, arguments.every)))
