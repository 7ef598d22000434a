"""Which server a command talks to, and with which token."""

import json
import os
from pathlib import Path

import pytest

from perdure.client import NoServer, find_server

LOCAL = "http://127.0.0.1:8700"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """The directory of a stack whose launcher is this process."""
    record = {"pid": os.getpid(), "api_url": LOCAL}
    (tmp_path / "stack.json").write_text(json.dumps(record))
    (tmp_path / "token").write_text("local-token\n")
    return tmp_path


def test_a_running_stack_is_found_in_its_directory(data_dir: Path) -> None:
    server = find_server(environment={"PERDURE_DATA_DIR": str(data_dir)})
    assert (server.url, server.token) == (LOCAL, "local-token")


def test_a_named_server_comes_before_the_environment_and_that_before_the_local_stack(data_dir: Path) -> None:
    environment = {"PERDURE_URL": "http://other", "PERDURE_TOKEN": "other-token"}
    assert find_server(data_dir=data_dir, environment=environment).url == "http://other"
    named = find_server("host:9000/", "mine", data_dir=data_dir, environment=environment)
    assert (named.url, named.token) == ("http://host:9000", "mine")


def test_the_local_token_is_shown_to_the_local_stack_only(data_dir: Path) -> None:
    assert find_server(LOCAL, data_dir=data_dir, environment={}).token == "local-token"
    with pytest.raises(NoServer, match="no token for http://elsewhere"):
        find_server("http://elsewhere", data_dir=data_dir, environment={})


def test_without_a_server_it_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(NoServer, match="perdure up.*make up"):
        find_server(data_dir=tmp_path, environment={})


def test_a_stack_that_was_stopped_is_no_server(data_dir: Path) -> None:
    (data_dir / "stack.json").write_text(json.dumps({"api_url": LOCAL}))
    with pytest.raises(NoServer):
        find_server(data_dir=data_dir, environment={})
