"""Reading, writing and editing files."""

from typing import Any

import pytest
from pydantic import ValidationError

from activities.tools.builtin import sandbox_tools
from activities.tools.registry import input_schema
from tests.activities.tools.sandboxed import Chat
from workspace.client import Workspaces


async def put(chat: Chat, path: str, content: str) -> None:
    assert await chat.call("write_file", path=path, content=content) == {"ok": True}


async def got(chat: Chat, path: str) -> str:
    result = await chat.call("execute", command=f"cat '{path}'; echo -n .")
    return result["output"].removesuffix(".")


def edits(path: str, *pairs: tuple[str, str], replace_all: bool = False) -> dict[str, Any]:
    listed = [{"search": search, "replace": replace, "replace_all": replace_all} for search, replace in pairs]
    return {"path": path, "edits": listed}


def test_what_may_be_repeated(workspaces: Workspaces) -> None:
    assert {tool.name: tool.repeatable for tool in sandbox_tools(workspaces)} == {
        "execute": False,
        "process_output": True,
        "process_list": True,
        "process_signal": False,
        "read_file": True,
        "write_file": False,
        "edit_files": False,
        "attach_file": True,
    }
    assert all(tool.repeatable or tool.recover for tool in sandbox_tools(workspaces))


def test_every_parameter_is_described(workspaces: Workspaces) -> None:
    for tool in sandbox_tools(workspaces):
        schema = input_schema(tool.input_model)
        groups = [schema, *schema.get("$defs", {}).values()]
        assert all(field.get("description") for group in groups for field in group["properties"].values())
        assert schema.get("required") != []


async def test_lines_are_numbered(chat: Chat) -> None:
    await put(chat, "a.txt", "one\ntwo\r\n\nfour")
    assert await chat.call("read_file", path="a.txt") == {
        **{"content": "1\tone\n2\ttwo\n3\t\n4\tfour", "file_size": 14, "total_lines": 4, "lines_read": 4}
    }


async def test_a_part_is_read(chat: Chat) -> None:
    await put(chat, "a.txt", "".join(f"line {number}\n" for number in range(1, 101)))
    result = await chat.call("read_file", path="~/a.txt", offset=98, limit=2)
    assert (result["content"], result["total_lines"], result["lines_read"]) == (
        "98\tline 98\n99\tline 99",
        100,
        2,
    )
    told = await chat.refusal("read_file", path="a.txt", offset=101)
    assert told == "a.txt has 100 lines; line 101 is beyond its end."


async def test_an_empty_file_has_no_lines(chat: Chat) -> None:
    await put(chat, "empty", "")
    assert (await chat.call("read_file", path="empty"))["total_lines"] == 0


async def test_at_most_2000_lines(chat: Chat) -> None:
    await put(chat, "many", "x\n" * 3000)
    assert (await chat.call("read_file", path="many"))["lines_read"] == 2000
    for wrong in ({"limit": 2001}, {"limit": 0}, {"offset": 0}):
        with pytest.raises(ValidationError):
            await chat.call("read_file", path="many", **wrong)


async def test_long_lines_are_cut(chat: Chat) -> None:
    await put(chat, "long", "é" * 1000 + "\nshort")
    result = await chat.call("read_file", path="long")
    assert result["content"] == "1\t" + "é" * 512 + "... [line cut]\n2\tshort"


async def test_an_answer_that_is_too_long_says_how_to_go_on(chat: Chat) -> None:
    await put(chat, "big", ("x" * 100 + "\n") * 1000)
    told = await chat.refusal("read_file", path="big", offset=11)
    assert told.startswith("These 990 lines are more than 32768 bytes.")
    assert "offset 11 with limit 312, then go on from offset 323" in told
    assert (await chat.call("read_file", path="big", offset=11, limit=312))["lines_read"] == 312


async def test_a_file_of_more_than_a_mebibyte_is_not_read(chat: Chat) -> None:
    await chat.call("execute", command="head -c 1048577 /dev/zero > huge")
    told = await chat.refusal("read_file", path="huge")
    assert "has 1048577 bytes" in told
    assert "execute" in told


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("nowhere", "cannot be read: No such file or directory"),
        ("/usr", "is a directory"),
        ("/dev/null", "not a regular file"),
        ("/etc/shadow", "cannot be read: No such file"),
        ("", "not a path"),
        ("a\0b", "not a path"),
    ],
)
async def test_what_cannot_be_read(chat: Chat, path: str, told: str) -> None:
    assert told in await chat.refusal("read_file", path=path)


async def test_what_is_no_text(chat: Chat) -> None:
    await chat.call("execute", command=r"printf 'a\377b' > latin; printf 'a\000b' > binary")
    assert (await chat.call("read_file", path="latin"))["content"] == "1\ta\ufffdb"
    assert "NUL bytes" in await chat.refusal("read_file", path="binary")


async def test_directories_are_made_and_the_mode_stays(chat: Chat) -> None:
    await put(chat, "new/deep/script.sh", "echo one")
    await chat.call("execute", command="chmod 750 new/deep/script.sh; ln -s deep/script.sh new/link")
    await put(chat, "new/link", "echo two")
    assert await got(chat, "new/deep/script.sh") == "echo two"
    told = await chat.call(
        "execute", command="stat -c %a new/deep/script.sh; readlink new/link; ls -A new/deep"
    )
    assert told["output"].split() == ["750", "deep/script.sh", "script.sh"]


@pytest.mark.parametrize("path", ["/usr/x", "/workspace", "made/by/../../a.txt/below"])
async def test_what_cannot_be_written(chat: Chat, path: str) -> None:
    await put(chat, "a.txt", "")
    assert await chat.refusal("write_file", path=path, content="x")


async def test_a_write_is_not_repeated(chat: Chat) -> None:
    await chat.call("write_file", "1.1.w", path="w", content="first")
    await put(chat, "w", "second")
    assert await chat.call("write_file", "1.1.w", path="w", content="first") == {"ok": True}
    assert await got(chat, "w") == "second"


async def test_edits_of_several_files(chat: Chat) -> None:
    await put(chat, "a", "one two\r\nthree")
    await put(chat, "b", "x x x")
    files = [edits("a", ("two", "2"), ("2\r\n", "2!\r\n")), edits("b", ("x", "yy"), replace_all=True)]
    assert await chat.call("edit_files", files=files) == {"ok": True}
    assert await got(chat, "a") == "one 2!\r\nthree"
    assert await got(chat, "b") == "yy yy yy"


async def test_one_file_named_twice_is_edited_twice(chat: Chat) -> None:
    await put(chat, "a", "one two")
    await chat.call("edit_files", files=[edits("a", ("one", "1")), edits("./a", ("1 two", "1 2"))])
    assert await got(chat, "a") == "1 2"


async def test_other_bytes_of_an_edited_file_stay(chat: Chat) -> None:
    await chat.call("execute", command=r"printf 'a\377\000b\n' > raw")
    await chat.call("edit_files", files=[edits("raw", ("b", "c"))])
    assert (await chat.call("execute", command="od -An -tx1 raw"))["output"] == " 61 ff 00 63 0a\n"


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (edits("b", ("one", "1"), ("nothing", "x")), "b, edit 2: the search text was not found"),
        (edits("b", ("o", "0")), "b, edit 1: the search text was found 2 times"),
        (edits("b", ("", "0")), "b, edit 1: the search text is empty"),
        (edits("nowhere", ("a", "b")), "nowhere cannot be read"),
        (edits("/usr/bin/env", ("a", "b"), replace_all=True), ""),
    ],
)
async def test_all_edits_or_none(chat: Chat, second: dict[str, Any], told: str) -> None:
    await put(chat, "a", "one")
    await put(chat, "b", "one two")
    refusal = await chat.refusal("edit_files", files=[edits("a", ("one", "1")), second])
    assert told in refusal
    assert refusal.endswith("No file was changed.")
    assert await got(chat, "a") == "one"
    assert await got(chat, "b") == "one two"
