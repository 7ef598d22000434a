"""What a stream costs its readers: the time from a model's piece to the client, and memory per idle reader.

    python -m benchmarks.streams
    python -m benchmarks.streams --readers 1 100 1000 --pieces 100 --every 0.2
    python -m benchmarks.streams --readers --chats 1000 3000

A model writes the time into each piece it sends, and readers compare it with theirs. The baseline is a reader
of the model itself, in the same run.
"""

import argparse
import asyncio
import contextlib
import os
import socket
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from benchmarks.many_chats import measure
from benchmarks.processes import memory_bytes
from benchmarks.readers import Readers, Until, get, median_and_p99, stamp
from cli.stack import Stack, StackOptions
from cli.stack.catalog import PORTS

_RESTED = b'"status":"waiting"'


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
            delta = {"type": "text_delta", "text": stamp()}
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

    async def rested_chat(self) -> str:
        """A chat whose turn is over."""
        chat = await self.chat()
        reader = self.readers(chat, 1)
        await reader.connected()
        self._model.go.set()
        await reader.delays()
        return chat

    def readers(self, chat: str, count: int) -> Readers:
        request = get(f"/api/v2/chats/{chat}/stream", self._stack.token or "")
        return Readers([request] * count, self._stack.api_url, Until(text=_RESTED))

    async def bare(self, pace: Pace) -> list[int]:
        self._model.pace = pace
        self._model.go.clear()
        reader = Readers([_BARE], self._model_url, Until(text=b"message_stop"))
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


async def _crowds(bench: Bench, crowds: Sequence[int], pace: Pace) -> None:
    """Print what crowds at one chat are told, and what they cost."""
    await bench.through(1, Pace(20, 0.01))  # warms up
    bare, _ = median_and_p99(await bench.bare(pace))
    print(f"the model itself, 1 reader      median {bare:6.2f} ms")
    for crowd in crowds:
        delays, _ = await bench.through(crowd, pace)
        median, p99 = median_and_p99(delays)
        print(
            f"through Perdure, {crowd:4} readers   median {median:6.2f} ms   p99 {p99:7.2f} ms"
            f"   (x{median / bare:.1f}; {len(delays)} pieces read)"
        )
    delays, seconds = await bench.through(100, Pace(5000, 0))
    print(f"as fast as it goes, 100 readers {len(delays) / seconds:9.0f} pieces read per second")
    cost = await bench.memory_per_reader(1000)
    print(f"memory per idle reader          {cost / 1024:9.1f} KiB (1000 readers of one chat)")


async def _chats(stack: Stack, bench: Bench, counts: Sequence[int]) -> None:
    """Print what many chats with a reader each are told, and what they cost."""
    chat = await bench.rested_chat()
    for count in counts:
        found = await measure(stack, chat, count)
        print(
            f"{count:4} chats, a reader each   median {found.median:6.2f} ms   p99 {found.p99:7.2f} ms   "
            f"{found.pieces_per_second:7.0f} pieces per second   "
            f"{found.bytes_per_reader / 1024:6.1f} KiB per reader   "
            f"{found.redis_connections} connections to Redis"
        )


async def main(crowds: Sequence[int], counts: Sequence[int], pace: Pace) -> None:
    model = StampingModel()
    with tempfile.TemporaryDirectory() as directory:
        async with served(model) as url:
            environment = {
                **os.environ,
                "ANTHROPIC_API_KEY": "bench",
                "ANTHROPIC_BASE_URL": url,
                "PERDURE_RATE_LIMIT_PER_MINUTE": "0",
                # chats that no worker moves are to be left alone
                "PERDURE_SWEEP_AGE_SECONDS": "3600",
            }
            ports = {name: 0 for names in PORTS.values() for name in names}
            options = StackOptions(data_dir=Path(directory), ports=ports, environment=environment)
            async with Stack(options) as stack:
                bench = Bench(stack, model, url)
                if crowds:
                    await _crowds(bench, crowds, pace)
                if counts:
                    await _chats(stack, bench, counts)
                await bench.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What a stream costs its readers.")
    parser.add_argument("--readers", type=int, nargs="*", default=[1, 100, 1000], help="crowds (1 100 1000)")
    parser.add_argument("--chats", type=int, nargs="*", default=[1000, 3000], help="chats (1000 3000)")
    parser.add_argument("--pieces", type=int, default=100, help="pieces per answer (100)")
    parser.add_argument("--every", type=float, default=0.2, help="seconds between pieces (0.2)")
    given = parser.parse_args()
    asyncio.run(main(given.readers, given.chats, Pace(given.pieces, given.every)))
