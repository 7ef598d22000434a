"""Holds, records and the control routes."""

import asyncio
import os
import signal
import socket
import sys
from typing import Any

import httpx2
import pytest
from anthropic import AsyncAnthropic
from anthropic.types import MessageParam

from activities.providers.demo import DemoModel, script_block
from activities.providers.demo.milestones import MAX_HOLDS, Holds
from activities.providers.demo.recorder import MAX_BYTES, MAX_REQUESTS, Recorder


def held(name: str, after_pieces: int = 2) -> list[MessageParam]:
    step = {"text": "abcdef", "pieces": 6, "hold": {"name": name, "after_pieces": after_pieces}}
    return [{"role": "user", "content": script_block(step)}]


async def collect(client: AsyncAnthropic, messages: list[MessageParam], into: list[str]) -> None:
    async with client.messages.stream(model="demo", max_tokens=9, messages=messages) as stream:
        async for text in stream.text_stream:
            into.append(text)


async def test_a_held_stream_waits_until_it_is_released(model: DemoModel, client: AsyncAnthropic) -> None:
    texts: list[str] = []
    async with client.messages.stream(model="demo", max_tokens=9, messages=held("wait")) as stream:
        reader = aiter(stream.text_stream)
        texts += [await anext(reader), await anext(reader)]
        await model.reached("wait")
        following = asyncio.ensure_future(anext(reader))
        done, _ = await asyncio.wait([following], timeout=0.05)
        assert not done
        assert model.requests[-1].pieces_sent == 2
        model.release("wait")
        texts += [await following, *[text async for text in reader]]
    assert texts == list("abcdef")


async def test_a_release_may_come_first_and_holds_for_all_who_follow(
    model: DemoModel, client: AsyncAnthropic
) -> None:
    model.release("early")
    texts: list[str] = []
    await collect(client, held("early"), texts)
    await collect(client, held("early"), texts)
    await model.reached("early", times=2)
    assert texts == list("abcdef") * 2


async def test_arrivals_at_a_hold_are_counted(model: DemoModel, client: AsyncAnthropic) -> None:
    texts: list[str] = []
    first = asyncio.create_task(collect(client, held("counted"), texts))
    await model.reached("counted")
    third = asyncio.create_task(model.reached("counted", times=3))
    others = [asyncio.create_task(collect(client, held("counted"), texts)) for _ in range(2)]
    await third
    model.release("counted")
    await asyncio.gather(first, *others)
    assert sorted(texts) == sorted("abcdef" * 3)


async def test_a_client_that_leaves_frees_its_held_stream(model: DemoModel, client: AsyncAnthropic) -> None:
    reading = asyncio.create_task(collect(client, held("abandoned"), []))
    await model.reached("abandoned")
    assert model.requests[-1].outcome == "open"
    reading.cancel()
    await asyncio.wait([reading])
    await model.settled()
    assert model.requests[-1].outcome == "client_disconnected"
    assert model.requests[-1].pieces_sent == 2


async def test_a_client_that_leaves_a_paced_stream_is_noticed(
    model: DemoModel, client: AsyncAnthropic
) -> None:
    step = {"text": "ab", "pieces": 2, "every_seconds": 60}
    async with client.messages.stream(
        model="demo", max_tokens=9, messages=[{"role": "user", "content": script_block(step)}]
    ) as stream:
        assert await anext(aiter(stream.text_stream)) == "a"
    await model.settled()
    assert model.requests[-1].outcome == "client_disconnected"


async def test_a_request_is_recorded_without_its_key(model: DemoModel, client: AsyncAnthropic) -> None:
    await collect(client, [{"role": "user", "content": script_block({"text": "x"})}], [])
    (request,) = model.requests
    assert request.body["messages"][0]["role"] == "user"
    assert (request.model, request.step, request.outcome) == ("demo", 0, "completed")
    assert request.headers["anthropic-version"]
    assert "demo-secret" not in str(request.as_json())


async def test_everything_can_be_done_from_another_process(
    model: DemoModel, http: httpx2.AsyncClient
) -> None:
    ordered = await http.post("/control/faults", json=[{"kind": "status", "status": 529}])
    assert ordered.json() == {"ordered": 1}
    body = {"model": "demo", "max_tokens": 9, "stream": True, "messages": held("remote")}
    assert (await http.post("/v1/messages", json=body)).status_code == 529

    streaming = asyncio.create_task(http.post("/v1/messages", json=body))
    reached = await http.get("/control/holds/remote")
    assert (reached.status_code, reached.json()) == (200, {"reached": 1})
    early = await http.get("/control/holds/remote", params={"times": 2, "timeout": 0.01})
    assert (early.status_code, early.json()) == (408, {"reached": 1})
    assert (await http.post("/control/holds/remote/release")).status_code == 204
    assert "message_stop" in (await streaming).text

    seen = (await http.get("/control/requests")).json()
    assert [(request["outcome"], request["fault"]) for request in seen] == [
        ("faulted", "status"),
        ("completed", None),
    ]
    assert seen[0]["body"] == body
    assert (await http.delete("/control/requests")).status_code == 204
    assert (await http.get("/control/requests")).json() == []

    await http.post("/control/faults", json=[{"kind": "drop"}])
    assert (await http.delete("/control/faults")).status_code == 204
    assert (await http.post("/v1/messages", json=body)).status_code == 200
    assert (await http.get("/control/holds/remote", params={"times": 0})).status_code == 422
    assert (await http.get("/healthz")).json() == {"status": "ok"}


async def test_only_the_newest_requests_are_kept() -> None:
    recorder = Recorder()
    for number in range(MAX_REQUESTS + 5):
        recorder.end(recorder.begin("/v1/messages", {}, str(number).encode()), "completed")
    assert len(recorder.requests) == MAX_REQUESTS
    assert recorder.requests[0].index == 6

    for _ in range(3):
        recorder.end(recorder.begin("/v1/messages", {}, bytes(MAX_BYTES // 2)), "completed")
    assert len(recorder.requests) == 2
    await recorder.settled()


async def test_holds_are_bounded_but_nobody_who_waits_is_forgotten() -> None:
    holds = Holds()
    waiting = asyncio.create_task(holds["mine"].wait())
    await holds["mine"].arrivals.reached()
    for number in range(2 * MAX_HOLDS):
        assert holds[str(number)].arrivals.count == 0
    holds["mine"].release()
    await waiting


async def test_leaving_the_model_ends_held_streams_at_once() -> None:
    async with DemoModel() as model:
        client = AsyncAnthropic(base_url=model.base_url, api_key="demo", max_retries=0)
        reading = asyncio.create_task(collect(client, held("for ever"), []))
        await model.reached("for ever")
    async with client:
        with pytest.raises(httpx2.TransportError):
            await reading
    assert model.requests[-1].outcome == "client_disconnected"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


async def test_a_process_of_its_own_serves_drops_and_stops_with_a_stream_still_held() -> None:
    port = free_port()
    command = (sys.executable, "-m", "activities.providers.demo", "--port", str(port))
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    transport = httpx2.AsyncHTTPTransport(retries=8)
    headers = {"x-api-key": "demo", "anthropic-version": "2023-06-01"}
    async with httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers=headers, transport=transport, timeout=20
    ) as http:
        try:
            assert (await http.get("/healthz")).status_code == 200

            def body(*steps: dict[str, Any]) -> dict[str, Any]:
                message = {"role": "user", "content": script_block(*steps)}
                return {"model": "demo", "max_tokens": 9, "stream": True, "messages": [message]}

            with pytest.raises(httpx2.TransportError):
                await http.post("/v1/messages", json=body({"text": "x", "fault": [{"kind": "drop"}]}))
            hold = {"text": "x", "hold": {"name": "h"}}
            streaming = asyncio.create_task(http.post("/v1/messages", json=body(hold)))
            assert (await http.get("/control/holds/h")).status_code == 200
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), 5)
            with pytest.raises(httpx2.TransportError):
                await streaming
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
