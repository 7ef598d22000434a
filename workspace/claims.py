"""Which acts were asked for already, kept where no command in the sandbox can reach it."""

import contextlib
import json
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from uuid import uuid4


@dataclass(frozen=True)
class Claim:
    """The first request for an act.

    Attributes:
        digest: what was to be done.
        instance: the run of the agent that was asked. As long as that run lives, it knows for certain
            whether it performed the act; after it, only what was recorded is known.
    """

    digest: str
    instance: str


class Claims:
    """A directory with a small file per act, made before the act and never changed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def take(self, key_id: str, claim: Claim) -> Claim | None:
        """Claim an act. Returns the claim that was there already, or None if this is the first."""
        path = self._directory / sha256(key_id.encode()).hexdigest()
        draft = path.with_suffix(f".{uuid4().hex}.new")
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.write_text(json.dumps([claim.digest, claim.instance]))
        try:
            os.link(draft, path)  # whole from the first moment, and only one can be first
        except FileExistsError:
            return Claim(*json.loads(path.read_text()))
        finally:
            with contextlib.suppress(OSError):
                draft.unlink()
        return None
