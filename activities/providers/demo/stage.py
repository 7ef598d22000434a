"""The state of one demo model: what it was told to do, and what it has seen."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from activities.providers.demo.faults import Fault
from activities.providers.demo.milestones import Holds
from activities.providers.demo.recorder import Recorder
from activities.providers.demo.script import Step

MAX_ORDERED_FAULTS = 10_000
MAX_CONVERSATIONS = 10_000


@dataclass(slots=True)
class Stage:
    """Shared by all requests of one server."""

    recorder: Recorder = field(default_factory=Recorder)
    holds: Holds = field(default_factory=Holds)
    ordered_faults: deque[Fault] = field(default_factory=lambda: deque[Fault](maxlen=MAX_ORDERED_FAULTS))
    _attempts: OrderedDict[str, int] = field(default_factory=OrderedDict[str, int])

    def next_fault(self, step: Step, conversation: str) -> Fault | None:
        """Take the fault that this request has to meet.

        An ordered fault comes first and leaves those of the script for the requests after it. The n-th other
        request for the same conversation meets the n-th fault of the step.
        """
        if self.ordered_faults:
            return self.ordered_faults.popleft()
        if not step.fault:
            return None
        attempt = self._attempts.pop(conversation, 0)
        self._attempts[conversation] = attempt + 1
        if len(self._attempts) > MAX_CONVERSATIONS:
            self._attempts.popitem(last=False)
        return step.fault[attempt] if attempt < len(step.fault) else None
