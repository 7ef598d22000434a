"""Prometheus metrics of our own; those of the Temporal SDK are its own business."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("perdure_api_requests", "HTTP requests answered.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "perdure_api_request_seconds",
    "Time to the last byte of an answer; streams are not counted.",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
COMMANDS = Counter(
    "perdure_api_commands", "Commands sent to chat workflows, by what became of them.", ["command", "outcome"]
)
COMMAND_SECONDS = Histogram(
    "perdure_api_command_seconds",
    "Time from sending a command to its answer.",
    ["command"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
STREAMS = Gauge("perdure_api_streams", "Open streams.", ["transport"])
STREAMS_CUT_OFF = Counter("perdure_api_streams_cut_off", "Streams ended by the server.", ["reason"])
WATCHED_CHATS = Gauge("perdure_api_watched_chats", "Chats with at least one open stream.")
TAIL_UP = Gauge("perdure_api_redis_tail_up", "1 while live entries are read from Redis.")
GATEWAY_CALLS = Counter(
    "perdure_api_gateway_calls",
    "Calls of models that went through the gateway, by what became of them.",
    ["endpoint", "outcome"],
)
SWEPT = Counter("perdure_api_swept", "Things the sweeper has put right.", ["what"])
