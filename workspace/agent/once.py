"""Performing an act once, however often it is asked for."""

from collections.abc import Callable

from workspace.agent.records import Records
from workspace.protocol import Answer, Key, Refused

Performed = Answer | Refused


class Acts:
    """Every act by its key, with what came of it."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._known: dict[str, tuple[str | None, Performed]] = {}

    def once(self, key: Key, perform: Callable[[], Performed]) -> Performed:
        """Perform an act, or tell what came of it when it was performed before."""
        if known := self._known.get(key.id) or self._records.act(key.id):
            digest, answer = known
            if digest not in (None, key.digest):
                return Refused(f"The call {key.id} was used for something else already.", "conflict")
            return answer
        if key.attach_only:
            return Refused("It is not known whether this was done.", "unknown")
        try:
            answer = perform()
        except Exception as error:  # noqa: BLE001
            answer = Refused(f"{type(error).__name__}: {error}", "failed")
        self._known[key.id] = (key.digest, answer)
        self._records.save_act(key.id, key.digest, answer)
        return answer

    def refuse(self, key_id: str) -> Performed | None:
        """Refuse a key from now on; returns what came of it, if it was performed already."""
        if known := self._known.get(key_id):
            return known[1]
        self._known[key_id] = (None, Refused("The call was cancelled before it began.", "failed"))
        return None
