"""Files of a sandbox that are given to the user."""

import base64

import pytest

from activities.tools.tool import WithFiles
from models.file_rules import MAX_FILE_BYTES
from tests.activities.tools.sandboxed import Chat
from tests.api.files.bytes_of import PNG


async def attached(chat: Chat, **arguments: str) -> WithFiles:
    result = await chat.call("attach_file", **arguments)
    assert isinstance(result, WithFiles)
    return result


async def test_a_file_is_attached_with_the_type_of_its_bytes(chat: Chat) -> None:
    await chat.call(
        "execute", command=f"mkdir -p out; echo {base64.b64encode(PNG).decode()} | base64 -d > out/plot"
    )
    result = await attached(chat, path="out/plot")
    (file,) = result.files
    assert (file.name, file.media_type, file.data) == ("plot", "image/png", PNG)
    assert result.result == {
        "ok": True,
        "path": "out/plot",
        "file_id": str(file.id),
        "name": "plot",
        "media_type": "image/png",
        "size": len(PNG),
    }


async def test_a_file_may_get_another_name(chat: Chat) -> None:
    await chat.call("write_file", path="a", content="x,y\n1,2\n")
    (file,) = (await attached(chat, path="a", name="../größe.csv")).files
    assert (file.name, file.media_type) == ("größe.csv", "text/csv")


async def test_the_largest_file_is_attached_and_one_byte_more_is_not(chat: Chat) -> None:
    await chat.call(
        "execute", command=f"head -c {MAX_FILE_BYTES} /dev/zero | tr '\\0' a > a; cp a b; echo >> b"
    )
    (file,) = (await attached(chat, path="a")).files
    assert len(file.data) == MAX_FILE_BYTES
    told = await chat.refusal("attach_file", path="b")
    assert f"has {MAX_FILE_BYTES + 1} bytes" in told
    assert "compress it" in told


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("printf 'a\\000b' > it", "Files like this one are not taken. Taken are: image/png"),
        ("echo '<html><body>' > it", "Files like this one are not taken."),
        (": > it", "it is empty."),
        ("rm -f it; mkdir it", "is a directory"),
        ("rm -rf it", "cannot be read: No such file"),
        ("ln -sf /etc/shadow it", "cannot be read: No such file"),
    ],
)
async def test_what_is_not_attached(chat: Chat, command: str, told: str) -> None:
    await chat.call("execute", command=f"rm -rf it; {command}")
    assert told in await chat.refusal("attach_file", path="it")


async def test_a_name_is_one(chat: Chat) -> None:
    await chat.call("write_file", path="a", content="text")
    for name in ("..", "folder/", "x" * 300):
        assert "is not the name of a file" in await chat.refusal("attach_file", path="a", name=name)
