"""What the agent knows, on disk, for the agent that comes after it."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from workspace.protocol import Answer, Done, Output, Process, ProtocolError, Refused, load


class Records:
    """A directory of small JSON files, each written whole or not at all.

    Commands run under the same account and could change them. They would deceive themselves only: what must
    not be forgotten is kept outside as well, see `workspace.claims`.
    """

    def __init__(self, directory: Path) -> None:
        self._processes = directory / "processes"
        self._acts = directory / "acts"

    def save_process(self, output: Output) -> None:
        self._write(self._processes / f"{output.process.id}.json", asdict(output))

    def forget_process(self, process_id: str) -> None:
        with contextlib.suppress(OSError):
            (self._processes / f"{process_id}.json").unlink()

    def processes(self) -> Iterator[Output]:
        """All that were saved, in no order."""
        for path in self._processes.glob("*.json"):
            with contextlib.suppress(ProtocolError, OSError, ValueError):
                yield load(Output, json.loads(path.read_text()))

    def save_act(self, key_id: str, digest: str, answer: Answer | Refused) -> None:
        """Keep what came of a key."""
        record = {"digest": digest, "kind": type(answer).__name__, "answer": asdict(answer)}
        self._write(self._act(key_id), record)

    def act(self, key_id: str) -> tuple[str, Answer | Refused] | None:
        """The digest of a key, and what came of it."""
        try:
            record: dict[str, Any] = json.loads(self._act(key_id).read_text())
            kind = {kind.__name__: kind for kind in (Done, Process)}.get(record["kind"])
            answer = load(kind, record["answer"]) if kind else Refused(**record["answer"])
            return str(record["digest"]), answer
        except (OSError, ValueError, LookupError, TypeError, ProtocolError):
            return None

    def _act(self, key_id: str) -> Path:
        return self._acts / f"{sha256(key_id.encode()).hexdigest()}.json"

    def _write(self, path: Path, record: dict[str, Any]) -> None:
        draft = path.with_suffix(".new")
        with contextlib.suppress(OSError):  # a full disk makes the next agent forget, and stops nobody now
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(record))
            draft.replace(path)
