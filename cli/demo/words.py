"""What is said in the demonstration. The built-in model takes its part from the message itself."""

from typing import Any

from activities.providers.demo import script_block

WORDS_PER_SECOND = 28

SURVIVING = """\
Now the second question. Everything you have sent is a row in Postgres before any model hears of it. A \
Temporal workflow decides what comes next, and a worker does it. These words pass through that worker on \
their way to you, so when it dies, they stop in the middle of a sentence. But the workflow does not live in \
the worker. It notices that the heartbeat is gone and gives the step to another one, which begins it anew. \
You are told to forget the half answer, so nobody ever sees two halves glued together. And because a step \
is committed under its own key, in one transaction, there is exactly one answer in the end: this one."""

INTERRUPTED = """\
I could count for you, slowly and for as long as you like. One, two, three, four, five, six, seven, eight, \
nine, ten, eleven, twelve, thirteen, fourteen, fifteen, sixteen, seventeen, eighteen, nineteen, twenty, \
twenty-one, twenty-two, twenty-three, twenty-four, twenty-five, twenty-six, twenty-seven, twenty-eight, \
twenty-nine, thirty, thirty-one, thirty-two, thirty-three, thirty-four, thirty-five, thirty-six, and by now \
somebody should really have stopped me."""

FIRST_QUESTION = "What time is it? And what becomes of your answer when the worker dies?"
SECOND_QUESTION = "Talk until I stop you."

_PACE: dict[str, Any] = {"first_after_seconds": 0.15, "every_seconds": 1 / WORDS_PER_SECOND}


def first_message() -> str:
    """A turn of two steps: a tool call, then an answer that takes several seconds."""
    look: dict[str, Any] = {
        "thinking": "For the first question I need a clock.",
        "text": "Let me look at the clock.",
        "tools": [{"name": "current_time", "input": {}}],
        **_PACE,
    }
    return f"{FIRST_QUESTION}\n\n{script_block(look, {'text': SURVIVING, **_PACE})}"


def second_message() -> str:
    """A turn that nobody waits for to end by itself."""
    return f"{SECOND_QUESTION}\n\n{script_block({'text': INTERRUPTED, **_PACE})}"
