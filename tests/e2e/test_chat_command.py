"""`perdure chat`, `chats` and `show` against a whole stack."""

import asyncio
import contextlib
import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import httpx2

from activities.providers.demo import script_block
from cli.stack import Stack
from perdure.client import Perdure as Client

from .conftest import Ended, Perdure

LONG = "one two three four five six seven eight nine ten " * 20
SLOWLY = script_block({"text": LONG, "every_seconds": 0.02})


async def parts(process: asyncio.subprocess.Process, count: int) -> list[dict[str, Any]]:
    """The output of `chat --json` up to the n-th part."""
    assert process.stdout
    events: list[dict[str, Any]] = []
    while sum(event["type"] == "message_part" for event in events) < count:
        events.append(json.loads(await process.stdout.readline()))
    return events


def read_to_end(terminal: int) -> str:
    """What was written to a terminal, until the last program has closed it."""
    pieces: list[bytes] = []
    with contextlib.suppress(OSError):  # how a terminal says that it ends
        while piece := os.read(terminal, 65536):
            pieces.append(piece)
    os.close(terminal)
    return b"".join(pieces).decode()


async def test_the_answer_is_on_standard_output_and_the_rest_beside_it(perdure: Perdure) -> None:
    ended = await perdure("chat", "What time is it?")
    assert ended.code == 0
    first, second = ended.out.splitlines()
    assert first == "Let me look at the clock."
    assert second.startswith("The tool answered: ")
    assert "* current_time" in ended.err
    assert "\x1b" not in ended.out + ended.err


async def test_on_a_terminal_the_answer_is_shown_while_it_is_written(perdure: Perdure) -> None:
    master, slave = os.openpty()
    async with perdure.started(
        "chat", "What time is it?", stdout=slave, environment={"TERM": "xterm"}
    ) as process:
        os.close(slave)
        shown, _ = await asyncio.gather(asyncio.to_thread(read_to_end, master), process.communicate())
    assert re.search("\x1b\\[2mThe [^\x1b.]*\x1b\\[0m\x1b\\[2m", shown), "a sentence in pieces, as they come"
    plain = re.sub("\x1b\\[[0-9]+m", "", shown).splitlines()
    assert plain[:3] == [
        "The user would like to know the time. I have no clock, but a tool that has one.",
        "Let me look at the clock.",
        "* current_time",
    ]


async def test_a_chat_is_resumed_and_shown(perdure: Perdure) -> None:
    begun = await perdure("chat", f"First. {script_block({'text': 'Answer one.'})}")
    resumed = await perdure(
        "chat", "--resume", begun.chat_id, f"Second. {script_block({'text': 'Answer two.'})}"
    )
    assert (resumed.code, resumed.out) == (0, "Answer two.\n")
    shown = await perdure("show", begun.chat_id)
    assert shown.code == 0
    lines = [line for line in shown.out.splitlines() if line.startswith((">", "Answer"))]
    assert lines == ["> First. ```demo", "Answer one.", "> Second. ```demo", "Answer two."]
    whole = json.loads((await perdure("show", begun.chat_id, "--json")).out)
    assert [message["role"] for message in whole["messages"]] == ["user", "assistant"] * 2
    assert whole["chat"]["status"] == "waiting"


async def test_a_chat_is_compacted_cleared_and_its_queue_shown(perdure: Perdure) -> None:
    chat_id = (await perdure("chat", script_block({"text": "ok"}))).chat_id
    compacted = await perdure("chat", "--resume", chat_id, "/compact")
    assert compacted.code == 0
    assert "Go on with" in compacted.err
    nothing = await perdure("chat", "--resume", chat_id, "/compact")
    assert nothing.code == 1
    assert "nothing to compact" in nothing.err
    assert (await perdure("chat", "--resume", chat_id, "--json", "/queue")).out == "[]\n"
    await perdure("chat", "--resume", chat_id, script_block({"text": "more"}))
    cleared = await perdure("chat", "--resume", chat_id, "/clear")
    assert cleared.code == 0
    assert "has forgotten" in cleared.err
    alone = await perdure("chat", "/clear")
    assert alone.code == 1
    assert "--resume" in alone.err


async def test_words_come_from_standard_input(perdure: Perdure) -> None:
    script = script_block({"text": "Heard."})
    assert (await perdure("chat", "-", given=script)).out == "Heard.\n"
    assert (await perdure("chat", given=script)).out == "Heard.\n"
    assert (await perdure("chat", "  ")).code == 2


async def test_json_is_every_event_once_and_nothing_else(perdure: Perdure) -> None:
    ended = await perdure("chat", "--json", "What time is it?")
    assert ended.code == 0
    kinds = [event["type"] for event in ended.events]
    assert kinds[-2:] == ["message", "status"] or kinds[-3:-1] == ["message", "status"]
    ids = [event["message"]["id"] for event in ended.events if event["type"] == "message"]
    assert len(ids) == 4
    assert ids == sorted(set(ids))
    places = [
        (piece["history_version"], piece["generation_attempt"], piece["seq"])
        for event in ended.events
        if (piece := event.get("message_part"))
    ]
    assert places == sorted(set(places))


async def test_chats_are_listed_newest_first(perdure: Perdure, client: Client) -> None:
    ids = [(await perdure("chat", script_block({"text": "ok"}))).chat_id for _ in range(2)]
    await client.chats.open(ids[1]).patch(title="Newer")
    listed = await perdure("chats", "--limit", "2")
    heading, newest, older = listed.out.splitlines()
    assert heading.split() == ["ID", "STATUS", "UPDATED", "TITLE"]
    assert newest.startswith(ids[1])
    assert newest.endswith("Newer")
    assert older.startswith(ids[0])
    await client.chats.open(ids[0]).patch(archived=True)
    archived = json.loads((await perdure("chats", "--archived", "--json")).out)
    assert ids[0] in [chat["id"] for chat in archived]


async def test_ctrl_c_stops_the_turn_and_keeps_what_was_said(perdure: Perdure, client: Client) -> None:
    hold = {"name": "until Ctrl-C", "after_pieces": 20}
    endless = script_block({"text": LONG, "every_seconds": 0.02, "hold": hold})
    async with perdure.started("chat", "--json", endless) as process:
        events = await parts(process, 5)
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    ended = Ended(process.returncode or 0, out.decode(), err.decode())
    assert ended.code == 130
    assert "stopped; what was said so far is kept" not in ended.out
    said = "".join(
        event["message_part"]["part"]["text"]
        for event in (*events, *ended.events)
        if event["type"] == "message_part"
    )
    chat = client.chats.open(ended.chat_id)
    kept = (await chat.history())[-1].text
    assert kept.startswith(said)
    assert 0 < len(kept) < len(LONG.strip())
    assert (await chat.info()).status == "waiting"


async def test_a_second_ctrl_c_leaves_and_the_turn_goes_on(
    perdure: Perdure, client: Client, whole_stack: Stack
) -> None:
    async with perdure.started("chat", "--json", SLOWLY) as process:
        chat_id = (await parts(process, 5))[0]["chat_id"]
        # no worker takes the order: the first Ctrl-C has to wait
        whole_stack.freeze("worker")
        try:
            assert process.stderr
            process.send_signal(signal.SIGINT)
            while b"stopping the turn" not in (line := await process.stderr.readline()):
                assert line
            process.send_signal(signal.SIGINT)
            _, err = await process.communicate()
        finally:
            whole_stack.thaw("worker")
    assert process.returncode == 130
    assert "the turn goes on without you" in err.decode()
    assert chat_id in err.decode()


async def test_a_message_to_a_busy_chat_waits_and_is_answered_in_the_same_command(
    perdure: Perdure, whole_stack: Stack
) -> None:
    first = script_block({"text": "The first answer.", "hold": {"name": "busy", "after_pieces": 1}})
    second = f"Next. {script_block({'text': 'The second answer.'})}"
    async with perdure.started("chat", "--json", first) as process:
        chat_id = (await parts(process, 1))[0]["chat_id"]
        async with perdure.started("chat", "--resume", chat_id, second) as waiting:
            assert waiting.stderr
            assert b"waits until it ends" in await waiting.stderr.readline()
            async with httpx2.AsyncClient() as http:
                control = f"http://127.0.0.1:{whole_stack.ports['demo-model']}/control"
                await http.post(f"{control}/holds/busy/release")
            out, err = await waiting.communicate()
        await process.communicate()
    assert waiting.returncode == 0
    assert out.decode() == "The first answer.\nThe second answer.\n"
    assert "> Next." in err.decode()


async def test_errors_of_the_api_are_told_in_words(perdure: Perdure) -> None:
    unknown = await perdure("show", "00000000-0000-4000-8000-000000000000")
    assert (unknown.code, unknown.out) == (1, "")
    assert "There is no such chat" in unknown.err
    assert (await perdure("chats", environment={"PERDURE_TOKEN": "wrong"})).code == 1


async def test_a_turn_that_fails_is_an_error(perdure: Perdure) -> None:
    fault = {"kind": "status", "status": 401, "message": "no such key"}
    ended = await perdure("chat", script_block({"fault": [fault] * 5}))
    assert ended.code == 1
    assert ended.out == ""
    assert "Traceback" not in ended.err


async def test_without_a_server_it_says_how_to_start_one(perdure: Perdure, tmp_path: Path) -> None:
    ended = await perdure("chat", "Hello", environment={"PERDURE_DATA_DIR": str(tmp_path)})
    assert (ended.code, ended.out) == (1, "")
    assert "perdure up" in ended.err
    assert "make up" in ended.err
    refused = await perdure("chats", "--url", "http://127.0.0.1:9", "--token", "x")
    assert refused.code == 1
    assert "perdure up" in refused.err
