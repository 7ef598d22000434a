"""What must hold of the rows of a chat at rest, seen beside the journal of who wrote to it.

Each invariant is a function that yields what contradicts it. To add one: write it, and put it into
`INVARIANTS`.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise, zip_longest

from tests.soak.evidence import Evidence, parts, words
from tests.soak.journal import Fate, Journal, Sent

Invariant = Callable[[Evidence, Journal], Iterator[str]]


def judge(evidence: Evidence, journal: Journal) -> list[str]:
    """All contradictions, each behind the name of its invariant."""
    return [f"{rule.__name__}: {found}" for rule in INVARIANTS for found in rule(evidence, journal)]


def answers_are_what_they_may_be(evidence: Evidence, journal: Journal) -> Iterator[str]:
    yield from journal.wrongs


def rests(evidence: Evidence, journal: Journal) -> Iterator[str]:
    chat = evidence.chat
    if chat.status not in ("waiting", "error"):
        yield f"status is {chat.status}"
    if (chat.status == "error") != (chat.last_error is not None):
        yield f"status is {chat.status}, last_error is {chat.last_error}"
    if chat.open_calls:
        yield f"open calls: {chat.open_calls}"
    if chat.retry_state is not None:
        yield f"retry state: {chat.retry_state}"
    if chat.queued != len(evidence.queue):
        yield f"queued is {chat.queued}, {len(evidence.queue)} are in the queue"
    if chat.status == "waiting" and evidence.queue:
        yield f"{len(evidence.queue)} messages wait for nothing"


def accepted_messages_are_kept_once(evidence: Evidence, journal: Journal) -> Iterator[str]:
    """Accepted ones are there, refused ones are not, unclear ones are or are not; none is there twice."""
    kept = Counter(words(message) for message in (*evidence.of("user"), *evidence.queue))
    cut = {words(message) for message in evidence.cut}
    for sent in journal.sent:
        times = kept.pop(sent.turn.message, 0)
        allowed = {Fate.ACCEPTED: (1,), Fate.REFUSED: (0,), Fate.UNKNOWN: (0, 1)}[sent.fate]
        if sent.may_be_cut and (sent.turn.message in cut or sent.queue_place is not None):
            allowed = (0, 1)
        if times not in allowed:
            yield f"{sent.turn.tag} was {sent.fate}, it is there {times} times"
    for stranger, times in kept.items():
        yield f"nobody sent {stranger[-60:]!r}, it is there {times} times"


def accepted_messages_keep_their_order(evidence: Evidence, journal: Journal) -> Iterator[str]:
    """One that was answered before another was sent comes before it; places in the queue are kept."""
    in_order = [sent for sent in _in_order(evidence, journal) if not sent.jumped]
    for earlier, later in combinations(in_order, 2):
        if later.answered is not None and later.answered < earlier.began:
            yield f"{earlier.turn.tag} stands before {later.turn.tag}, which was accepted before it was sent"
    places = [sent for sent in in_order if sent.queue_place is not None]
    for earlier, later in pairwise(places):
        assert earlier.queue_place is not None
        assert later.queue_place is not None
        if earlier.queue_place > later.queue_place:
            yield f"{earlier.turn.tag} stands before {later.turn.tag}, behind which it was queued"


def each_message_begins_a_turn(evidence: Evidence, journal: Journal) -> Iterator[str]:
    """Or joins one, if it was sent to do so."""
    joins = {sent.turn.message for sent in journal.sent if sent.steers}
    said = evidence.of("user")
    turns: list[int] = []
    for message in said:
        joined = bool(turns) and message.turn == turns[-1]
        if not joined:
            turns.append(message.turn)
        elif words(message) not in joins:
            yield f"message {message.id} has joined turn {message.turn}"
    if turns != sorted(set(turns)) or (not journal.cuts and turns != list(range(1, len(turns) + 1))):
        yield f"turns of the user's messages: {turns}"
    if not turns or evidence.chat.turn != turns[-1]:
        yield f"the chat is in turn {evidence.chat.turn}, messages in history began {turns}"


def an_edit_cuts_what_comes_after(evidence: Evidence, journal: Journal) -> Iterator[str]:
    """Nothing before the earliest message that was ever replaced is out of force."""
    first = min(journal.cuts, default=None)
    for message in evidence.cut:
        if first is None or message.id < first:
            yield f"message {message.id} is out of force, edits were made of {journal.cuts}"


def commands_run_once(evidence: Evidence, journal: Journal) -> Iterator[str]:
    """No effect is there twice, and one that history tells of is there."""
    effects = Counter(evidence.effects)
    yield from (f"{name} was done {times} times" for name, times in effects.items() if times > 1)
    commands = {
        part["tool_call_id"]: part["args"]["command"].split()[1]
        for message in evidence.of("assistant")
        for part in parts(message, "tool-call")
        if part["tool_name"] == "execute" and part.get("args")
    }
    for message in evidence.of("tool"):
        for part in parts(message, "tool-result"):
            name = commands.get(part["tool_call_id"])
            result = json.dumps(part["result"])
            done = not part.get("is_error") and '"exit_code": 0' in result
            if name is not None and done and name not in effects:
                yield f"{name} is said to be done, and is not"


def tools_do_their_work_once(evidence: Evidence, journal: Journal) -> Iterator[str]:
    """No deed is there twice, but of a tool that may repeat it; what history says is done is done, and what a
    person has denied is not."""
    for deed, times in Counter(evidence.deeds).items():
        if times > 1 and not deed.endswith("-again"):
            yield f"{deed!r} happened {times} times"
    calls = {
        part["tool_call_id"]: part["args"]["word"]
        for message in evidence.of("assistant")
        for part in parts(message, "tool-call")
        if "word" in (part.get("args") or {})
    }
    for message in evidence.of("tool"):
        for part in parts(message, "tool-result"):
            word = calls.get(part["tool_call_id"])
            if word is None:
                continue
            if not part.get("is_error") and f"done {word}" not in evidence.deeds:
                yield f"{word} is said to be done, and is not"
            if part["tool_call_id"] in journal.denied and f"began {word}" in evidence.deeds:
                yield f"{word} was denied, and was begun"


def steps_are_committed_once(evidence: Evidence, journal: Journal) -> Iterator[str]:
    answers = [(message.turn, message.step) for message in evidence.of("assistant")]
    for place, times in Counter(answers).items():
        if times > 1:
            yield f"turn and step {place} have {times} answers"
    if answers != sorted(answers):
        yield f"answers out of order: {answers}"
    steps = {(row.turn, row.step): row.end for row in evidence.steps}
    for place in set(answers) - set(steps):
        yield f"an answer without its step: {place}"
    for place, end in steps.items():
        if end == "committed" and place not in answers:
            yield f"a committed step without its answer: {place}"
    for turn in {turn for turn, _ in steps}:
        numbers = sorted(step for of, step in steps if of == turn)
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"steps of turn {turn}: {numbers}"


def calls_have_one_result_each(evidence: Evidence, journal: Journal) -> Iterator[str]:
    """Every call is answered once, before the next answer or message of the user."""
    open_calls: list[str] = []
    for message in evidence.messages:
        if message.role in ("user", "assistant") and open_calls:
            yield f"message {message.id} comes before results of {open_calls}"
            open_calls = []
        open_calls += [part["tool_call_id"] for part in parts(message, "tool-call")]
        for part in parts(message, "tool-result"):
            if part["tool_call_id"] in open_calls:
                open_calls.remove(part["tool_call_id"])
            else:
                yield f"message {message.id} has a result without a call: {part['tool_call_id']}"
    if open_calls:
        yield f"no results at all: {open_calls}"


def results_are_those_of_the_ledger(evidence: Evidence, journal: Journal) -> Iterator[str]:
    """What a tool returned before its step was over is what history says it returned."""
    history = {
        (message.turn, message.step, part["tool_call_id"]): part
        for message in evidence.of("tool")
        for part in parts(message, "tool-result")
    }
    for row in evidence.results:
        told = history.get((row.turn, row.step, row.tool_call_id))
        if told is None:
            yield f"a result that history does not have: {row.tool_call_id}"
        elif told["result"] != row.part["result"] and "interrupt" not in str(told["result"]):
            yield f"{row.tool_call_id} returned {row.part['result']}, history says {told['result']}"


def turns_are_answered_as_scripted(evidence: Evidence, journal: Journal) -> Iterator[str]:
    """Every word of every step, no word more, and a reason wherever there is less."""
    told = {(message.turn, message.step): words(message) for message in evidence.of("assistant")}
    ends: dict[tuple[int, int], str] = {(row.turn, row.step): row.end for row in evidence.steps}
    stopped: list[str] = []
    for answered in _segments(evidence, journal):
        sent, texts = answered.sent, answered.sent.turn.texts
        steps = sorted(step for turn, step in ends if answered.holds(turn, step))
        for number, step in enumerate(steps, 1):
            place = (answered.turn, step)
            text, said = texts[number - 1] if number <= len(texts) else "", told.get(place, "")
            if number > len(texts) or (ends[place] == "committed" and said != text):
                yield f"step {number} of {sent.turn.tag} says {said[:80]!r}, to be {text[:80]!r}"
            elif not text.startswith(said):
                yield f"step {number} of {sent.turn.tag} says {said[:80]!r} of {text[:80]!r}"
        committed = not steps or ends[answered.turn, steps[-1]] == "committed"
        enough = len(texts) - sent.turn.may_end_early
        whole = bool(steps) and committed and len(steps) >= enough
        if not whole and not answered.joined and not (sent.turn.doomed and len(steps) < len(texts)):
            stopped.append(f"{sent.turn.tag} after {len(steps)} of {len(texts)} steps")
    if len(stopped) > journal.stops:
        yield f"{journal.stops} turns may have been stopped, these were: {stopped}"


def errors_have_their_reason(evidence: Evidence, journal: Journal) -> Iterator[str]:
    turns = _in_order(evidence, journal)
    if evidence.chat.status == "error" and turns and not turns[-1].turn.doomed:
        yield f"{turns[-1].turn.tag} ended in {evidence.chat.last_error}"


def drafts_are_settled(evidence: Evidence, journal: Journal) -> Iterator[str]:
    """The first message has no draft; every other one in history or queue has one, and says delivered."""
    delivered = sum(draft.state == "delivered" for draft in evidence.drafts)
    kept = len(evidence.of("user")) + len(evidence.queue) - 1
    least = kept + journal.results[Fate.ACCEPTED]
    most = least + journal.results[Fate.UNKNOWN]
    gone = journal.cuts or any(sent.may_be_cut for sent in journal.sent)
    if delivered < least or (delivered > most and not gone):
        yield f"{delivered} drafts are delivered, {least} to {most} would be right"


INVARIANTS: tuple[Invariant, ...] = (
    answers_are_what_they_may_be,
    rests,
    accepted_messages_are_kept_once,
    accepted_messages_keep_their_order,
    each_message_begins_a_turn,
    an_edit_cuts_what_comes_after,
    commands_run_once,
    tools_do_their_work_once,
    steps_are_committed_once,
    calls_have_one_result_each,
    results_are_those_of_the_ledger,
    turns_are_answered_as_scripted,
    errors_have_their_reason,
    drafts_are_settled,
)


@dataclass(frozen=True)
class _Segment:
    """A message and the steps that answer it: those of its turn behind it, up to the message that joins it.

    Attributes:
        after, until: the last step before the message, and before the next; None: there is no next.
    """

    turn: int
    sent: Sent
    after: int
    until: int | None

    @property
    def joined(self) -> bool:
        """Whether another message has taken the turn over."""
        return self.until is not None

    def holds(self, turn: int, step: int) -> bool:
        return turn == self.turn and self.after < step and (self.until is None or step <= self.until)


def _in_order(evidence: Evidence, journal: Journal) -> list[Sent]:
    """What was sent and is in history, in the order of history."""
    return [answered.sent for answered in _segments(evidence, journal)]


def _segments(evidence: Evidence, journal: Journal) -> list[_Segment]:
    """The same, each with where its answer is."""
    by_text = {sent.turn.message: sent for sent in journal.sent}
    said = [message for message in evidence.of("user") if words(message) in by_text]
    found: list[_Segment] = []
    for message, following in zip_longest(said, said[1:]):
        until = following.step if following is not None and following.turn == message.turn else None
        found.append(_Segment(message.turn, by_text[words(message)], message.step, until))
    return found
