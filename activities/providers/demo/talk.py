"""What the demo model says when nobody gave it a script: friendly, useful to a newcomer, always the same."""

import re

from activities.providers.demo.conversation import Conversation
from activities.providers.demo.script import Step, ToolCall

TIME_TOOL = "current_time"
PIECES_PER_SECOND = 30
FIRST_AFTER_SECONDS = 0.15
QUOTE_LENGTH = 60

ABOUT_TIME = re.compile(r"\b(time|clock|date)\b", re.IGNORECASE)
WANTS_SUMMARY = re.compile(r"\b(sum up|summar(y|ize))\b", re.IGNORECASE)
WANTS_LENGTH = re.compile(r"\b(story|explain|long|essay|detail(s|ed)?|tell me (all|more))\b", re.IGNORECASE)

TITLE_TOOL = "name_chat"
LABEL_TOOL = "label_turn"
MARKS = re.compile(r"```demo.*?```|```.*|</?(user|assistant)>", re.DOTALL)
NAMEABLE = re.compile(r"\w+(?:['’]\w+)?")

SHORT = """\
{greeting}I am Perdure's built-in demo model: no key and no network, but the real wire protocol. Ask me \
for the time and I will call a tool. Ask me for a story, kill the worker while I tell it, and watch the \
answer go on. Set ANTHROPIC_API_KEY before `perdure up` to talk to a real model instead of me."""

LONG = """\
{greeting}Here is the story of a chat that did not die.

Once there was a message. Somebody typed it, pressed enter, and looked away. Before any model heard of \
it, the message was written to Postgres and given a number, because a thing that has been accepted must \
not be lost. Only then did a workflow wake up, read that number, and decide what to do next. That \
workflow is the single writer of this chat. Nobody else may change its state, and so there is nobody to \
quarrel with about it.

The workflow asked a worker to call the model, and the worker opened a stream. That is where you come \
in: the words you are reading right now travel from me over HTTP to the worker, from the worker to \
Redis, and from Redis to you. None of them is precious yet. They are only the live view, and the live \
view may vanish.

And one day it did. Halfway through a sentence, somebody sent SIGKILL to the worker. No goodbye, no \
cleanup, no last words. The stream stopped, and for a moment there was silence. But the workflow had not \
been living in that worker. It noticed that the heartbeat was gone, gave the step to another worker, and \
told every reader to forget the half answer and to begin again. Nobody ever saw two halves glued \
together, and nothing was done twice, because a step is committed under its own key and whoever comes \
second reads what the first one wrote.

When the last word had arrived, the whole answer was committed in one transaction: text, usage and all. \
The workflow found that nothing else was waiting and went to sleep, costing nothing. At rest, a chat is \
rows. In motion, it is a workflow. What you watch is a stream.

If you would like to be part of this story, ask me to tell it once more, find the process id of the \
worker, and kill it while I speak. Or interrupt me in the middle and see how quickly I stop; what I have \
said until then is kept. Or ask me for the time, and watch me think and call a tool. And when you have \
seen enough of me, for I am only the built-in demo model and always tell the same story, set \
ANTHROPIC_API_KEY and start again with a real one."""


def conversational_step(request: Conversation) -> Step:
    """The unscripted answer: a tool call when asked for the time, else some words about the product."""
    question = request.typed
    if not _callable(request) and WANTS_SUMMARY.search(question):
        return Step(text=_summary(request))
    if request.results and request.step > 0:
        return _paced(
            Step(text=f"The tool answered: {' / '.join(request.results)}. Is there anything else to try?")
        )
    if request.step == 0 and ABOUT_TIME.search(question) and TIME_TOOL in _callable(request):
        return _paced(
            Step(
                thinking="The user would like to know the time. I have no clock, but a tool that has one.",
                text="Let me look at the clock.",
                tools=(ToolCall(name=TIME_TOOL),),
            )
        )
    template = LONG if WANTS_LENGTH.search(question) else SHORT
    return _paced(Step(text=template.format(greeting=_greeting(question))))


def named_step(request: Conversation) -> Step | None:
    """A name for a conversation or a turn, as the arguments of the one tool on offer; None for others."""
    words = NAMEABLE.findall(MARKS.sub(" ", request.typed))
    if list(request.tool_names) == [LABEL_TOOL]:
        label = f"Answered {' '.join(words[:2]) or 'a question'}"
        return Step(tools=(ToolCall(name=LABEL_TOOL, input={"label": label}),))
    if list(request.tool_names) == [TITLE_TOOL]:
        title = " ".join(words[:5]).capitalize() if len(words) > 1 else "Demo conversation"
        return Step(tools=(ToolCall(name=TITLE_TOOL, input={"title": title}),))
    return None


def _summary(request: Conversation) -> str:
    """What is said to whoever takes the conversation over."""
    times = f"{request.answers} times"
    return f"The user tries out Perdure's demo model, which has answered {times}. Nothing is left to do."


def _callable(request: Conversation) -> frozenset[str]:
    """The tools that the model may call."""
    return frozenset() if request.forbids_tools else request.tool_names


def _paced(step: Step) -> Step:
    return step.model_copy(
        update={"first_after_seconds": FIRST_AFTER_SECONDS, "every_seconds": 1 / PIECES_PER_SECOND}
    )


def _greeting(question: str) -> str:
    words = " ".join(question.split())
    if not words:
        return ""
    quote = words if len(words) <= QUOTE_LENGTH else words[: QUOTE_LENGTH - 1].rstrip() + "…"
    return f"You wrote “{quote}”. "
