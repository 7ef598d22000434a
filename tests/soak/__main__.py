"""Soak for as long as asked: `python -m tests.soak --seconds 600 --seed 7`."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.soak.soak import Soak


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long new actions are begun")
    parser.add_argument("--seed", type=int, default=7, help="the same seed, the same plan")
    parser.add_argument("--chats", type=int, default=7, help="how many live at the same time")
    given = parser.parse_args()
    data_dir = Path(tempfile.mkdtemp(prefix="perdure-soak-"))
    _say(f"data and logs of the servers: {data_dir}")
    report = asyncio.run(Soak(given.seed, given.seconds, data_dir, _say, given.chats).run())
    _say(report.text())
    return 1 if report.contradictions else 0


if __name__ == "__main__":
    sys.exit(main())
