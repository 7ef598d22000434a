"""What the processes have logged as errors of their own: servers that come and go are no reason for any."""

from collections.abc import Iterator
from pathlib import Path

_OURS = ("api", "worker", "other-worker")
_ERROR = "[error"
_HARMLESS = (
    # what uvicorn says of every socket that was refused with an answer of its own
    "ASGI callable returned without completing handshake.",
    # an attempt that met a server on its way out; another one follows
    "activity failed",
)

_MOST = 5


def judge_logs(directory: Path) -> list[str]:
    """The first few errors of each process, each with the end of its traceback."""
    return [found for name in _OURS for found in _errors(name, directory / f"{name}.log")]


def _errors(name: str, log: Path) -> Iterator[str]:
    lines = log.read_text(errors="replace").splitlines()
    places = [
        number
        for number, line in enumerate(lines)
        if _ERROR in line and not any(harmless in line for harmless in _HARMLESS)
    ]
    for place in places[:_MOST]:
        yield f"{name} says {lines[place]} / {_last_of_traceback(lines[place + 1 :])}"
    if len(places) > _MOST:
        yield f"{name} says {len(places) - _MOST} things more of the kind"


def _last_of_traceback(lines: list[str]) -> str:
    """The line behind a traceback that names the error, if there is one."""
    for line in lines[:200]:
        if line[:1].isdigit():
            return ""
        if line and not line.startswith((" ", "Traceback", "future:")):
            return line
    return ""
