"""What is repeated, for how long, and under which key: against a server that answers as it is told to."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from perdure.client import ApiError, NoServer, NotFound, Perdure, ProtocolError, RateLimited, Unavailable

HANG_UP = ""
OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def refusal(status: int, *headers: str) -> str:
    body = '{"message": "No."}'
    lines = [f"HTTP/1.1 {status} No", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines) + f"\r\n\r\n{body}"


@dataclass
class Scripted:
    """A server that gives these answers, one after the other, and the keys that it was shown."""

    url: str = ""
    answers: Iterator[str] = field(default_factory=lambda: iter(()))
    keys: list[str] = field(default_factory=list[str])
    times: list[float] = field(default_factory=list[float])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                fields = dict(line.split(": ", 1) for line in head.lower().split("\r\n")[1:] if line)
                await reader.readexactly(int(fields.get("content-length", "0")))
                self.keys.append(fields.get("idempotency-key", ""))
                self.times.append(time.monotonic())
                answer = next(self.answers)
                writer.write(answer.encode())
                if answer == HANG_UP:
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.transport.abort()


@asynccontextmanager
async def scripted(*answers: str) -> AsyncGenerator[tuple[Scripted, Perdure]]:
    server = Scripted(answers=iter(answers))
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with listener, Perdure(server.url, "token", patience_seconds=0.3) as perdure:
        yield server, perdure


@pytest.mark.parametrize("trouble", [HANG_UP, refusal(503), refusal(503, "Retry-After: 2")])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
async def test_a_request_is_repeated_under_one_key_until_it_is_answered(method: str, trouble: str) -> None:
    async with scripted(trouble, trouble, OK) as (server, perdure):
        assert await perdure.request(method, "/chats") == {}
    assert len(server.keys) == 3
    assert len(set(server.keys)) == 1
    assert bool(server.keys[0]) == (method != "GET")


async def test_a_rate_limit_is_waited_for_as_long_as_the_server_says() -> None:
    async with scripted(refusal(429, "Retry-After: 1"), OK) as (server, perdure):
        assert await perdure.request("POST", "/chats") == {}
    assert server.times[1] - server.times[0] >= 1.0


async def test_a_limit_beyond_all_patience_is_told_with_its_time() -> None:
    async with scripted(refusal(429, "Retry-After: 3600")) as (_, perdure):
        with pytest.raises(RateLimited) as limited:
            await perdure.request("POST", "/chats")
    assert limited.value.retry_after == 3600


async def test_a_limit_that_does_not_pass_by_itself_is_told_at_once() -> None:
    async with scripted(refusal(429)) as (server, perdure):
        with pytest.raises(RateLimited):
            await perdure.request("POST", "/chats")
    assert len(server.keys) == 1


@pytest.mark.parametrize("status", [400, 404, 409, 418, 500])
async def test_other_errors_are_told_at_once(status: int) -> None:
    async with scripted(refusal(status)) as (server, perdure):
        with pytest.raises(ApiError) as told:
            await perdure.request("POST", "/chats")
    assert (told.value.status, len(server.keys)) == (status, 1)


async def test_nobody_is_waited_for_no_longer_than_one_is_patient() -> None:
    async with scripted() as (server, _):
        pass
    begun = time.monotonic()
    async with Perdure(server.url, "token", patience_seconds=0.3) as perdure:
        with pytest.raises(NoServer, match="perdure up"):
            await perdure.me()
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("command", ["delete_queued", "promote"])
async def test_a_command_whose_answer_was_lost_is_asked_for_again_under_its_key(command: str) -> None:
    """The server answers it as it did the first one, whatever has become of the chat since."""
    async with scripted(HANG_UP, OK) as (server, perdure):
        await getattr(perdure.chats.open("c"), command)(1)
    assert len(server.keys) == 2
    assert len(set(server.keys) - {""}) == 1
    async with scripted(refusal(404)) as (_, perdure):
        with pytest.raises(NotFound):
            await getattr(perdure.chats.open("c"), command)(1)


async def test_an_answer_that_is_nothing_of_ours_is_told() -> None:
    async with scripted("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", OK) as (_, perdure):
        with pytest.raises(ProtocolError, match="not JSON"):
            await perdure.me()
        with pytest.raises(ProtocolError, match="no User"):
            await perdure.me()


async def test_a_server_that_stays_unready_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perdure.client.connection.RESTART_SECONDS", 0.3)
    async with scripted(*[refusal(503)] * 20) as (_, perdure):
        with pytest.raises(Unavailable):
            await perdure.me()
