"""The protocol: what is not in it is refused, whoever says it."""

import pytest

from workspace import protocol
from workspace.protocol import (
    Cancel,
    Done,
    Edit,
    EditFiles,
    FetchFile,
    FileEdits,
    Hello,
    Key,
    ListProcesses,
    Output,
    Process,
    Processes,
    ProtocolError,
    ReadFile,
    ReadOutput,
    Refused,
    Request,
    SendSignal,
    Shutdown,
    Start,
    WriteFile,
)

KEY = Key("1.1.a", "digest")
PROCESS = Process(
    "p1", "true", "/", False, "exited", "2026-01-01T00:00:00+00:00", 0, "2026-01-01T00:00:01+00:00"
)


@pytest.mark.parametrize(
    "request_",
    [
        Start(KEY, "echo 'größe\n\0'", "/tmp", True, {"A": "b"}),
        ReadOutput("p1", 1.5),
        ListProcesses(),
        SendSignal(KEY, "p1", "kill"),
        Cancel("1.1.a"),
        ReadFile("a", 2, 3),
        FetchFile("a"),
        WriteFile(Key("a", "b", attach_only=True), "a", ""),
        EditFiles(KEY, [FileEdits("a", [Edit("x", "y", True), Edit("", "")])]),
        Shutdown(),
    ],
    ids=lambda request: type(request).__name__,
)
def test_requests_arrive_as_they_were_sent(request_: Request) -> None:
    line = protocol.encode_request(request_)
    assert line.count(b"\n") == 1
    assert protocol.decode_request(line) == request_


def test_answers_arrive_as_they_were_sent() -> None:
    output = Output(PROCESS, "a", "b", 2, 2)
    assert protocol.decode_answer(protocol.encode_answer(output), Output) == output
    assert protocol.decode_answer(protocol.encode_answer(Processes([PROCESS])), Processes) == Processes(
        [PROCESS]
    )
    refused = Refused("no", "conflict")
    assert protocol.decode_answer(protocol.encode_answer(refused), Done) == refused


def test_unknown_fields_are_left_out_so_that_later_versions_can_have_more() -> None:
    assert protocol.decode_request(b'{"op": "cancel", "key_id": "a", "later": 1}') == Cancel("a")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nonsense",
        b"[]",
        b"{}",
        b'{"op": "dance"}',
        b'{"op": "cancel"}',
        b'{"op": "cancel", "key_id": 1}',
        b'{"op": "start", "key": "a", "command": "b"}',
        b'{"op": "signal", "key": {"id": "a", "digest": "b"}, "process_id": "a", "signal": "hup"}',
        b'{"op": "output", "process_id": "a", "wait_seconds": "long"}',
        b'{"op": "edit_files", "key": {"id": "a", "digest": "b"}, "files": {}}',
        b"\xff\xff",
    ],
)
def test_nonsense_is_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        protocol.decode_request(line)
    with pytest.raises(ProtocolError):
        protocol.decode_answer(line, Done)


def test_an_agent_of_another_version_is_not_understood() -> None:
    with pytest.raises(ProtocolError, match="version 7"):
        protocol.decode_hello(protocol.encode_hello(Hello(7, "a", "/")))
