"""What people are told of a shell command."""

from typing import Any

import pytest

from models.shell_commands import MAX_COMMANDS, parsed_commands


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("ls", [["ls"]]),
        ("git -C x status --short", [["git", "x"]]),
        ("git status", [["git", "status"]]),
        ("ls -la --all", [["ls"]]),
        (
            "cd /src && make test | tee log; echo done",
            [["cd", "/src"], ["make", "test"], ["tee", "log"], ["echo", "done"]],
        ),
        ("A=1 B='x y' env", [["env"]]),
        ("echo 'a; b' \"c && d\"", [["echo", "a; b"]]),
        ("cat < in > out 2>&1", [["cat"]]),
        ("make 2> errors.txt all", [["make", "all"]]),
        ("if test -f a; then cat a; else touch a; fi", [["test", "a"], ["cat", "a"], ["touch", "a"]]),
        ("for f in a b; do wc -l $f; done", [["wc", "$f"]]),
        ("(cd a; pwd) &", [["cd", "a"], ["pwd"]]),
        ("one\ntwo \\\n  three", [["one"], ["two", "three"]]),
        ("! grep -q x", [["grep", "x"]]),
        ("echo $(date)", [["echo", "$"], ["date"]]),
        ("A=1", None),
        ("", None),
        ("echo 'open", None),
        ("x" * 20_000, None),
    ],
)
def test_the_programs_of_a_command(command: str, told: list[list[str]] | None):
    assert parsed_commands("execute", {"command": command}) == told


def test_long_lists_and_long_words_are_cut():
    assert len(parsed_commands("execute", {"command": "a;" * 100}) or []) == MAX_COMMANDS
    assert parsed_commands("execute", {"command": "x" * 300}) == [["x" * 200]]


@pytest.mark.parametrize("args", [None, "ls", ["ls"], {"command": ["ls"]}, {}])
def test_what_is_no_command_has_none(args: Any):
    assert parsed_commands("execute", args) is None


def test_other_tools_have_none():
    assert parsed_commands("write_file", {"command": "ls"}) is None
