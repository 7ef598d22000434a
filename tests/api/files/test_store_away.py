"""A store of files that is away makes nothing worse than a 503."""

import socket

import pytest
from sqlalchemy import select

from models.store.tables import files
from runtime.settings import Settings
from tests.api.conftest import Door
from tests.api.files.bytes_of import PNG
from tests.api.served import person, served


async def test_uploads_and_downloads_are_told_to_come_again(
    door: Door, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key-secret")
    headers = {"Content-Disposition": 'attachment; filename="cat.png"', "Content-Type": "image/png"}
    away = settings.model_copy(update={"blobs_url": "s3://files"})
    async with (
        served(away) as api,
        person(door.engine, api.url, door.organization, "Cy") as cy,
    ):
        answer = await cy.http.post(
            "/chats/files", params={"organization": str(door.organization)}, content=PNG, headers=headers
        )
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert "key-secret" not in answer.text
        async with door.engine.connect() as conn:
            row = await conn.execute(select(files.c.state).where(files.c.owner_id == cy.caller.user_id))
        assert list(row.scalars()) == ["arriving"], "the keeper deletes what never arrived"
