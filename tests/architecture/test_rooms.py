"""Rules about the tree that no linter knows."""

import ast
import importlib
import inspect
import subprocess
import sys
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("activities", "api", "benchmarks", "cli", "models", "perdure", "runtime", "workflows", "workspace")
CEILING_LINES = 500
DUMPING_GROUNDS = {"util", "utils", "helper", "helpers", "common", "misc", "shared", "stuff"}
SQL_BUILDERS = {"select", "insert", "update", "delete", "text"}


def modules() -> Iterator[Path]:
    for room in ROOMS:
        yield from sorted((ROOT / room).rglob("*.py"))


def test_no_module_is_longer_than_the_ceiling():
    tracked = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    long = {name: n for name in tracked if (n := len((ROOT / name).read_text().splitlines())) > CEILING_LINES}
    assert long == {}


def test_no_module_is_a_dumping_ground():
    assert [path for path in modules() if path.stem in DUMPING_GROUNDS] == []


def test_queries_are_written_in_the_store_only():
    elsewhere: list[str] = []
    for path in modules():
        if path.is_relative_to(ROOT / "models"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in (
                "sqlalchemy",
                "sqlmodel",
            ):
                elsewhere += [f"{path}: {name.name}" for name in node.names if name.name in SQL_BUILDERS]
    assert elsewhere == []


def test_the_program_in_the_sandbox_needs_the_standard_library_only():
    own = {"workspace"}
    for path in (ROOT / "workspace/protocol.py", *sorted((ROOT / "workspace/agent").glob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Import(names=names):
                    taken = {name.name.split(".")[0] for name in names}
                case ast.ImportFrom(module=module):
                    taken = {(module or "").split(".")[0]}
                case _:
                    continue
            assert taken <= sys.stdlib_module_names | own, path


def test_the_pure_core_makes_no_ids():
    for name in ("workflows/chat/machine.py", "workflows/chat/events.py", "models/turns.py"):
        tree = ast.parse((ROOT / name).read_text())
        taken = [
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "uuid"
            for alias in node.names
        ]
        assert set(taken) <= {"UUID"}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_the_one_of_this_tree(room: str):
    # published distributions install packages of the same names, for example `workflows`
    module = importlib.import_module(room)
    assert Path(module.__path__[0]).resolve() == ROOT / room


def _annotations(function: Callable[..., Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(function)
    return {name: hint for name, hint in hints.items() if name != "self"}


def test_each_stub_of_the_contract_has_one_implementation_of_its_types():
    from activities import compaction, contract, model_call, naming, provider_check, tool_call, transitions

    stubs = {
        name: stub
        for name, stub in inspect.getmembers(contract, inspect.iscoroutinefunction)
        if stub.__module__ == contract.__name__
    }
    owners = (
        transitions.Transitions,
        model_call.ModelCalls,
        compaction.Compactions,
        naming.Naming,
        provider_check.ProviderChecks,
        tool_call.ToolCalls,
    )
    found = [
        (name, method)
        for owner in owners
        for name, method in inspect.getmembers(owner, inspect.iscoroutinefunction)
        if hasattr(method, "__temporal_activity_definition")
    ]
    assert sorted(name for name, _ in found) == sorted(stubs)
    for name, method in found:
        assert _annotations(method) == _annotations(stubs[name]), name


def test_transactions_are_named_as_such():
    # the engine's own `begin` would commit every statement by itself
    allowed = {ROOT / "models/store/reading.py", ROOT / "models/migrations/env.py"}
    found = [path for path in modules() if path not in allowed and "engine.begin()" in path.read_text()]
    assert found == []
