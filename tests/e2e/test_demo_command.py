"""`perdure demo`: the product's main job in one command."""

import os
import signal
from pathlib import Path

import psutil

from .conftest import Perdure


async def test_every_claim_of_the_demonstration_holds(perdure: Perdure, tmp_path: Path) -> None:
    ended = await perdure("demo", environment={"TMPDIR": str(tmp_path), "ANTHROPIC_API_KEY": "not used"})
    assert ended.code == 0, ended.out + ended.err
    assert ended.out.count("✓") == 18
    assert "NOT TRUE" not in ended.out
    assert "the worker was lost" in ended.out
    assert leftovers(tmp_path) == []


async def test_ctrl_c_ends_the_demonstration_and_leaves_nothing(perdure: Perdure, tmp_path: Path) -> None:
    async with perdure.started("demo", environment={"TMPDIR": str(tmp_path)}) as process:
        assert process.stdout
        while b"The worker dies" not in (line := await process.stdout.readline()):
            assert line
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) > 5
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in err.decode()
    assert [child for child in family if child.is_running()] == []
    assert leftovers(tmp_path) == []


def leftovers(directory: Path) -> list[str]:
    # locks of ports stay for the next stack
    return [name for name in os.listdir(directory) if not name.startswith("perdure-ports")]
