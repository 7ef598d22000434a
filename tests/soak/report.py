"""What a run has done and found."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Contradiction:
    """Something that must not be.

    Attributes:
        where: the chat, by name and id, or what else it is about.
        what: the invariant and what contradicts it.
        journal: what was done there.
    """

    where: str
    what: list[str]
    journal: list[str]


@dataclass
class Report:
    """Everything worth telling of a run.

    Attributes:
        chaos: what was done to the servers, line by line.
    """

    seed: int
    seconds: float
    counts: Counter[str] = field(default_factory=Counter[str])
    chaos: list[str] = field(default_factory=list[str])
    contradictions: list[Contradiction] = field(default_factory=list[Contradiction])

    def add(self, where: str, what: list[str], journal: Sequence[str] = ()) -> None:
        """Note what was found somewhere, if anything was."""
        if what:
            self.contradictions.append(Contradiction(where, what, list(journal)))

    def progress(self) -> str:
        """One line."""
        disturbances = sum(times for what, times in self.counts.items() if what.startswith("chaos"))
        return (
            f"{self.counts['chats']} chats judged, {self.counts['messages accepted']} messages accepted, "
            f"{self.counts['steps']} steps, {disturbances} disturbances, "
            f"{len(self.contradictions)} contradictions"
        )

    def text(self) -> str:
        """The whole report."""
        lines = [f"soak of {self.seconds:.0f} s with seed {self.seed}", ""]
        lines += [f"{times:8} {what}" for what, times in sorted(self.counts.items())]
        for found in self.contradictions:
            lines += ["", f"CONTRADICTION in {found.where}"]
            lines += [f"  {what}" for what in found.what]
            lines += [f"    {line}" for line in found.journal]
        if self.contradictions:
            lines += ["", "What happened to the servers:", *(f"  {line}" for line in self.chaos)]
        lines += ["", "Everything holds." if not self.contradictions else "NOT everything holds."]
        return "\n".join(lines)
