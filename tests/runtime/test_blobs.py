"""Blob stores: the database, and what speaks S3. Both keep the same promises."""

import asyncio
import re
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
import uvicorn
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runtime.blobs import BlobStore, BlobsUnavailable, open_blobs


@asynccontextmanager
async def s3_server(bucket: dict[str, bytes]) -> AsyncGenerator[str]:
    """A bucket over HTTP, as far as objects go: signed PUT, GET, and the deletion of several."""

    async def put(request: Request) -> Response:
        if not request.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 Credential=key-id/"):
            return Response(status_code=403)
        bucket[request.url.path] = await request.body()
        return Response(headers={"ETag": '"1"'})

    async def get(request: Request) -> Response:
        data = bucket.get(request.url.path)
        if data is None:
            return Response("<Error><Code>NoSuchKey</Code></Error>", 404, media_type="application/xml")
        return Response(data, headers={"ETag": '"1"', "Last-Modified": "Sat, 21 Nov 2026 10:00:00 GMT"})

    async def delete_several(request: Request) -> Response:
        keys = re.findall(r"<Key>(.*?)</Key>", (await request.body()).decode())
        for key in keys:
            bucket.pop(f"{request.url.path}/{key}", None)
        deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
        return Response(f"<DeleteResult>{deleted}</DeleteResult>", media_type="application/xml")

    doings = {"PUT": put, "GET": get, "POST": delete_several}
    routes = [Route("/{path:path}", do, methods=[verb]) for verb, do in doings.items()]
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@pytest.fixture(params=["postgres", "s3"])
async def store(
    request: pytest.FixtureRequest, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[BlobStore]:
    if request.param == "postgres":
        yield open_blobs(None, engine)
        return
    bucket: dict[str, bytes] = {}
    async with s3_server(bucket) as url:
        of_s3(monkeypatch, url)
        yield open_blobs("s3://files/chats", engine)
    assert not bucket


def of_s3(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key-secret")


async def test_bytes_come_back_until_they_are_deleted(store: BlobStore):
    key, data = uuid4(), bytes(range(256)) * 4096
    assert await store.get(key) is None
    await store.put(key, data)
    await store.put(key, data)
    another = uuid4()
    await store.put(another, b"")
    assert await store.get(key) == data
    await store.delete(key)
    await store.delete(key)
    assert await store.get(key) is None
    assert await store.get(another) == b""
    await store.delete(another)


async def test_a_store_that_refuses_or_is_away_says_so_without_its_secrets(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
):
    async with s3_server({}) as url:
        of_s3(monkeypatch, url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
        with pytest.raises(BlobsUnavailable) as refused:
            await open_blobs("s3://files", engine).put(uuid4(), b"x")
    assert "key-secret" not in f"{refused.value}"
