"""Files: uploaded, fetched, named by messages, and gone when there are too many."""

import asyncio
import hashlib
from uuid import UUID, uuid4

import httpx2
import pytest
from itsdangerous import URLSafeSerializer
from sqlalchemy import func, insert, select, update

from api.app import MAX_BODY_BYTES
from api.files.keeper import FileKeeper
from models.file_rules import MAX_FILE_BYTES
from models.store.blobs import PostgresBlobs
from models.store.file_links import FILES_PER_CHAT
from models.store.signing import read_signing_keys
from models.store.tables import blobs, files, users
from tests.api.conftest import Door
from tests.api.files.bytes_of import PNG
from tests.api.sending import place
from tests.api.served import Body, Person, client, make_organization, person

PICTURE = {"Content-Disposition": 'attachment; filename="cat.png"', "Content-Type": "image/png"}


async def upload(
    door: Door, data: bytes = PNG, who: Person | None = None, headers: Body | None = None
) -> httpx2.Response:
    return await (who or door.owner).http.post(
        "/chats/files",
        params={"organization": str(door.organization)},
        content=data,
        headers={**PICTURE, **(headers or {})},
    )


async def uploaded(door: Door, data: bytes = PNG, who: Person | None = None) -> str:
    answer = await upload(door, data, who)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def naming(*ids: str) -> list[Body]:
    return [{"type": "text", "text": "look"}, *({"type": "file", "file_id": file} for file in ids)]


async def say(door: Door, chat: Body, *ids: str) -> httpx2.Response:
    return await door.owner.http.post(f"/chats/{chat['id']}/messages", json={"content": naming(*ids)})


async def state_of(door: Door, file: str) -> str:
    async with door.engine.connect() as conn:
        return (await conn.execute(select(files.c.state).where(files.c.id == UUID(file)))).scalar_one()


async def test_what_was_uploaded_comes_back(door: Door):
    file = await uploaded(door)
    answer = await door.owner.http.get(f"/chats/files/{file}")
    assert answer.status_code == 200
    assert answer.content == PNG
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"] == "inline; filename*=UTF-8''cat.png"
    assert answer.headers["content-length"] == str(len(PNG))
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("attachment; filename=plan.txt", "plan.txt"),
        ('attachment; filename="C:\\\\dir\\\\plan.txt"', "plan.txt"),
        ("attachment; filename*=UTF-8''gr%C3%BCn.txt", "gr%C3%BCn.txt"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
    ],
)
async def test_names_lose_their_folders(door: Door, header: str, name: str):
    answer = await upload(
        door, b"text", headers={"Content-Disposition": header, "Content-Type": "text/plain"}
    )
    assert answer.status_code == 201, answer.text
    back = await door.owner.http.get(f"/chats/files/{answer.json()['id']}")
    assert back.headers["content-disposition"] == f"inline; filename*=UTF-8''{name}"


@pytest.mark.parametrize(
    "header",
    ["", "attachment", "inline; filename=a.txt", 'attachment; filename=""', "attachment; filename=.."],
)
async def test_a_file_without_a_name_is_refused(door: Door, header: str):
    answer = await upload(door, headers={"Content-Disposition": header})
    assert answer.status_code == 400
    assert answer.json()["validations"][0]["field"] == "Content-Disposition"


async def test_a_file_that_is_not_what_it_says_is_refused(door: Door):
    answer = await upload(door, b"<svg/>", headers={"Content-Type": "image/png"})
    assert answer.status_code == 400
    async with door.engine.connect() as conn:
        kept = await conn.scalar(select(func.count()).where(files.c.owner_id == door.owner.caller.user_id))
    assert kept == 0


async def test_ten_mebibytes_are_taken_and_a_byte_more_is_not(door: Door):
    assert MAX_BODY_BYTES < MAX_FILE_BYTES
    largest = PNG + bytes(MAX_FILE_BYTES - len(PNG))
    file = await uploaded(door, largest)
    assert (await door.owner.http.get(f"/chats/files/{file}")).content == largest
    assert (await upload(door, largest + b"x")).status_code == 413

    async def unannounced():
        yield largest
        yield b"x"

    answer = await door.owner.http.post(
        "/chats/files",
        params={"organization": str(door.organization)},
        content=unannounced(),
        headers=PICTURE,
    )
    assert answer.status_code == 413
    assert answer.json()["detail"] == f"At most {MAX_FILE_BYTES} bytes are taken."


async def test_who_may_not_upload(door: Door):
    async def tried(**params: str) -> int:
        return (
            await door.owner.http.post("/chats/files", params=params, content=PNG, headers=PICTURE)
        ).status_code

    assert await tried() == 400
    assert await tried(organization="x") == 400
    assert await tried(organization=str(uuid4())) == 403
    async with client(door.served.url) as nobody:
        answer = await nobody.post(
            "/chats/files", params={"organization": str(door.organization)}, content=PNG, headers=PICTURE
        )
    assert answer.status_code == 401


async def test_others_do_not_see_it(door: Door):
    file = await uploaded(door)
    foreign, _ = await make_organization(door.engine)
    async with person(door.engine, door.served.url, foreign, "Eve") as stranger:
        for who in (door.other, stranger):
            assert (await who.http.get(f"/chats/files/{file}")).status_code == 404
            assert (await who.http.post(f"/chats/files/{file}/download-url")).status_code == 404
    assert (await door.owner.http.get(f"/chats/files/{uuid4()}")).status_code == 404
    assert (await door.owner.http.get("/chats/files/x")).status_code == 400


async def test_a_link_fetches_one_file_without_a_token(door: Door):
    file, another = await uploaded(door), await uploaded(door)
    link = (await door.owner.http.post(f"/chats/files/{file}/download-url")).json()
    assert link["sha256"] == hashlib.sha256(PNG).hexdigest()
    assert (link["size_bytes"], link["name"], link["mime_type"]) == (len(PNG), "cat.png", "image/png")
    assert link["expires_at"].endswith(("Z", "+00:00"))
    assert "." not in link["expires_at"]
    async with httpx2.AsyncClient() as nobody:
        answer = await nobody.get(link["url"])
        assert (answer.status_code, answer.content) == (200, PNG)
        assert answer.headers["cache-control"] == "no-store"
        assert (await nobody.get(link["url"].replace(file, another))).status_code == 404
        assert (await nobody.get(link["url"] + "x")).status_code == 404
        assert (await nobody.get(link["url"].partition("?")[0])).status_code == 404
        assert (await nobody.get(link["url"].replace(file, "nonsense"))).status_code == 404

        keys = await read_signing_keys(door.engine)
        signer = URLSafeSerializer([key for key in keys], salt="perdure.files")  # pyright: ignore[reportArgumentType]
        expired = signer.dumps([file, str(door.owner.caller.user_id), 1])
        base = link["url"].partition("?")[0]
        assert (await nobody.get(base, params={"token": expired})).status_code == 404

        async with door.engine.begin() as conn:
            await conn.execute(
                update(users).where(users.c.id == door.owner.caller.user_id).values(status="suspended")
            )
        assert (await nobody.get(link["url"])).status_code == 404


async def test_a_message_names_files_and_the_chat_has_them(door: Door):
    file = await uploaded(door)
    chat = await door.owner.http.post(
        "/chats", json={"organization_id": str(door.organization), "content": naming(file)}
    )
    assert chat.status_code == 201, chat.text
    (metadata,) = chat.json()["files"]
    assert (metadata["id"], metadata["name"], metadata["mime_type"]) == (file, "cat.png", "image/png")
    alone = await door.owner.http.get(f"/chats/{chat.json()['id']}")
    assert alone.json()["files"] == [metadata]
    page = await door.owner.http.get(f"/chats/{chat.json()['id']}/messages")
    part = page.json()["messages"][0]["content"][1]
    assert part == {"type": "file", "file_id": file, "media_type": "image/png", "name": "cat.png"}


@pytest.mark.parametrize("which", ["unknown", "another chat's", "gone", "somebody else's", "none"])
async def test_files_that_a_message_cannot_name(door: Door, which: str):
    chat = await door.create()
    file = await uploaded(door, who=door.other if which == "somebody else's" else None)
    if which == "another chat's":
        elsewhere = await door.create("x", content=naming(file))
        assert elsewhere["files"]
    if which == "gone":
        async with door.engine.begin() as conn:
            await conn.execute(update(files).where(files.c.id == UUID(file)).values(state="gone"))
    named = {"type": "file", "file_id": str(uuid4()) if which == "unknown" else file}
    if which == "none":
        named = {"type": "file"}
    for path, more in (
        ("/chats", {"organization_id": str(door.organization)}),
        (f"/chats/{chat['id']}/messages", {}),
    ):
        answer = await door.owner.http.post(path, json={"content": [named], **more})
        assert answer.status_code == 400, path
        assert answer.json()["validations"][0]["field"] == "content[0].file_id"


async def fill_chat(door: Door, chat: Body, count: int) -> list[str]:
    """Files that the chat has already, oldest first."""
    ids = [uuid4() for _ in range(count)]
    async with door.engine.begin() as conn:
        for number, file in enumerate(ids):
            await conn.execute(
                insert(files).values(
                    id=file,
                    organization_id=door.organization,
                    owner_id=door.owner.caller.user_id,
                    chat_id=UUID(chat["id"]),
                    name="a",
                    mime_type="image/png",
                    size_bytes=1,
                    sha256=b"",
                    state="ready",
                    linked_at=func.now() - func.make_interval(0, 0, 0, 0, 0, 100 - number),
                )
            )
            await conn.execute(insert(blobs).values(id=file, data=b"x"))
    return [str(file) for file in ids]


async def test_a_chat_keeps_the_newest_and_lets_the_oldest_go(door: Door):
    chat = await door.create()
    older = await fill_chat(door, chat, FILES_PER_CHAT - 1)
    new = [await uploaded(door), await uploaded(door)]
    sending = asyncio.create_task(say(door, chat, *new))
    await placed(door, chat, sending)
    shown = [file["id"] for file in (await door.owner.http.get(f"/chats/{chat['id']}")).json()["files"]]
    assert len(shown) == FILES_PER_CHAT
    assert set(shown) == {*new, *older[1:]}
    assert await state_of(door, older[0]) == "gone"
    assert (await door.owner.http.get(f"/chats/files/{older[0]}")).status_code == 404

    await FileKeeper(door.engine, PostgresBlobs(door.engine), unused_days=1).purge()
    async with door.engine.connect() as conn:
        assert await conn.scalar(select(func.count()).where(blobs.c.id == UUID(older[0]))) == 0
        assert await conn.scalar(select(func.count()).where(blobs.c.id == UUID(older[1]))) == 1


async def placed(door: Door, chat: Body, sending: asyncio.Task[httpx2.Response]) -> None:
    """The workflow's part, which has no worker here; the door has given up by then."""
    assert (await sending).status_code == 503
    await place(door, chat)


async def test_files_of_one_message_do_not_push_each_other_out(door: Door):
    chat = await door.create()
    ids = [await uploaded(door) for _ in range(FILES_PER_CHAT + 1)]
    assert (await say(door, chat, *ids)).status_code == 400
    await placed(door, chat, asyncio.create_task(say(door, chat, *ids[:-1])))
    assert [await state_of(door, file) for file in ids] == ["ready"] * len(ids)


async def test_what_nobody_uses_and_what_never_arrived_is_deleted(door: Door):
    unused, fresh = await uploaded(door), await uploaded(door)
    half = uuid4()
    async with door.engine.begin() as conn:
        hour_ago = func.now() - func.make_interval(0, 0, 0, 0, 2)
        await conn.execute(
            insert(files).values(
                id=half,
                organization_id=door.organization,
                owner_id=door.owner.caller.user_id,
                name="half",
                mime_type="image/png",
                size_bytes=1,
                sha256=b"",
                created_at=hour_ago,
            )
        )
        await conn.execute(insert(blobs).values(id=half, data=b"x"))
        day_ago = func.now() - func.make_interval(0, 0, 0, 2)
        await conn.execute(update(files).where(files.c.id == UUID(unused)).values(created_at=day_ago))
    keeper = FileKeeper(door.engine, PostgresBlobs(door.engine), unused_days=1)
    await keeper.purge()
    await keeper.purge()
    async with door.engine.connect() as conn:
        for table in (blobs, files):
            of_these = table.c.id.in_([half, UUID(unused), UUID(fresh)])
            left = await conn.execute(select(table.c.id).where(of_these))
            assert list(left.scalars()) == [UUID(fresh)]
