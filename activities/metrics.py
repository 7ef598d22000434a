"""The worker's metrics. Counted in activities, never in workflow code, which would count again on replay.

Names and buckets: spec chat-loop.md 1.20; the prefix is kept so that existing dashboards work.
"""

from prometheus_client import Counter, Histogram

_MODEL = ("provider", "model")

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
INTERRUPTS = Counter("coderd_chatd_interrupts", "Steps a user stopped.", _MODEL)
