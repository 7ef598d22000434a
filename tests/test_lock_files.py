"""The lock files: complete, consistent, and silent about where packages come from."""

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))


def names(requirements: list[str]) -> set[str]:
    found = (re.match(r"[\w.-]+", requirement) for requirement in requirements)
    return {match[0].lower().replace("_", "-") for match in found if match}


def test_they_name_no_address_and_hash_everything() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        assert not re.search(r"://|^\s*--(?!hash=)", text, re.MULTILINE)
        pinned = [line for line in text.splitlines() if "==" in line.partition(";")[0]]
        assert pinned
        assert all(line.endswith("\\") for line in pinned), "a line that does not go on has no hash"


def test_they_hold_all_that_the_project_names() -> None:
    assert names(PROJECT["project"]["dependencies"]) <= set(pins("requirements.lock"))
    assert names(PROJECT["dependency-groups"]["dev"]) <= {
        *pins("requirements-dev.lock"),
        *pins("requirements.lock"),
    }


def test_what_both_name_is_the_same_version() -> None:
    runtime, development = pins("requirements.lock"), pins("requirements-dev.lock")
    assert {name: runtime[name] for name in runtime.keys() & development.keys()} == {
        name: development[name] for name in runtime.keys() & development.keys()
    }
