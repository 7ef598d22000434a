"""The worker's metrics. Counted in activities, never in workflow code, which would count again on replay.

Names and buckets: spec chat-loop.md 1.20; the prefix is kept so that existing dashboards work.
"""

from datetime import UTC, datetime

from prometheus_client import Counter, Gauge, Histogram

_MODEL = ("provider", "model")

CHATS = Gauge(
    "coderd_chatd_chats",
    "Model calls of this worker: waiting for the first part, or streaming.",
    ("state",),
)
for _state in ("waiting", "streaming"):
    CHATS.labels(_state)
STEPS = Counter("coderd_chatd_steps", "Steps committed.", _MODEL)
STREAM_RETRIES = Counter(
    "coderd_chatd_stream_retries", "Model calls that failed and will be tried again.", (*_MODEL, "kind")
)
TIME_TO_FIRST_PART = Histogram(
    "coderd_chatd_ttft_seconds",
    "Seconds from sending a request to its first part.",
    _MODEL,
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
MESSAGE_COUNT = Histogram(
    "coderd_chatd_message_count",
    "Messages in a prompt.",
    _MODEL,
    buckets=[2.0**n for n in range(11)],
)
PROMPT_SIZE = Histogram(
    "coderd_chatd_prompt_size_bytes",
    "Size of what the messages of a prompt hold.",
    _MODEL,
    buckets=[1024 * 4.0**n for n in range(10)],
)
TURN_SECONDS = Histogram(
    "coderd_chatd_turn_seconds",
    "From a user's message entering history to the end of its turn, waiting for tools included.",
    (*_MODEL, "outcome"),
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600),
)
RECOVERIES = Counter(
    "coderd_chatd_recoveries",
    "Steps begun again, and tool calls looked for, because the worker that ran them was lost.",
    _MODEL,
)
COMPACTIONS = Counter(
    "coderd_chatd_compaction", "Summaries of a conversation, by what came of them.", (*_MODEL, "result")
)
TOOL_ERRORS = Counter(
    "coderd_chatd_tool_errors", "Tool calls that ended in an error.", (*_MODEL, "tool_name")
)
TOOL_RESULT_SIZE = Histogram(
    "coderd_chatd_tool_result_size_bytes",
    "Size of tool results before they are cut.",
    (*_MODEL, "tool_name"),
    buckets=[64 * 4.0**n for n in range(9)],
)
TOOL_RESULT_TRUNCATED = Counter(
    "coderd_chatd_tool_result_truncated", "Tool results that were cut.", (*_MODEL, "tool_name")
)
INTERRUPTS = Counter(
    "coderd_chatd_interrupts", "Turns, or compactions, that a person stopped, whatever they were at.", _MODEL
)


def turn_over(provider: str, model: str, started_at: datetime, outcome: str) -> None:
    """A turn is over: `committed`, `interrupted` or `failed`."""
    seconds = (datetime.now(UTC) - started_at).total_seconds()
    TURN_SECONDS.labels(provider, model, outcome).observe(max(seconds, 0.0))
