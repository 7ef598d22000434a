"""CPU and memory of processes and all their children."""

from collections.abc import Iterator, Mapping

import psutil


def _family(pid: int | None) -> Iterator[psutil.Process]:
    if pid is None:
        return
    root = psutil.Process(pid)
    yield root
    yield from root.children(recursive=True)


def cpu_seconds(pids: Mapping[str, int | None]) -> dict[str, float]:
    """User and system seconds so far, by name. Children that have ended are counted by their parent."""
    spent: dict[str, float] = {}
    for name, pid in pids.items():
        spent[name] = 0.0
        for process in _family(pid):
            times = process.cpu_times()
            spent[name] += times.user + times.system + times.children_user + times.children_system
    return spent


def memory_bytes(pids: Mapping[str, int | None]) -> int:
    """Proportional set size: shared pages are divided among those who share them."""
    return sum(process.memory_full_info().pss for pid in pids.values() for process in _family(pid))
