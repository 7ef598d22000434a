"""Bodies on their way to a vendor: read whole, bounded one by one and all together, and looked into.

They are not streamed through, because the model and the most that an answer may cost have to be known before
the vendor is asked. What goes on is the bytes that came.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import orjson
from starlette.requests import Request

from api.errors import ApiError, too_large, unavailable
from api.gateway.errors import wrong
from api.gateway.wires import CHAT_COMPLETIONS, MESSAGES, RESPONSES, Endpoint

MAX_BODY_BYTES = 32 * 1024 * 1024
"""What Anthropic takes."""

MAX_BYTES_AT_ONCE = 256 * 1024 * 1024
"""Of all bodies of a process that are on their way."""

_ARRIVAL_SECONDS = 60.0
_MAX_MODEL = 200


class Held:
    """The bytes of one body."""

    def __init__(self, room: "BodyRoom") -> None:
        self._room = room
        self._bytes = 0

    def take(self, size: int) -> None:
        """Hold so many more.

        Raises:
            ApiError: 503, all bodies together would be too much.
        """
        if self._room.bytes + size > self._room.most:
            raise unavailable("Too many large requests at once.", "Try again in a moment.")
        self._bytes += size
        self._room.bytes += size

    def let_go(self) -> None:
        """Hold nothing any more."""
        self._room.bytes -= self._bytes
        self._bytes = 0


class BodyRoom:
    """How much of bodies is in memory. Nobody waits here: who waits would hold what has come already."""

    def __init__(self, most: int = MAX_BYTES_AT_ONCE) -> None:
        self.most = most
        self.bytes = 0

    def empty(self) -> Held:
        """Room for what has no body."""
        return Held(self)

    @contextmanager
    def unless_it_fails(self) -> Generator[Held]:
        """Room for one body, given back if the block fails; else by `Held.let_go`."""
        held = Held(self)
        try:
            yield held
        except BaseException:
            held.let_go()
            raise


async def read_body(request: Request, held: Held) -> list[bytes]:
    """The body in the pieces in which it came.

    Raises:
        ApiError: 400, it is compressed. 408, it takes too long. 413, it is too large. 503, see `Held.take`.
        starlette.requests.ClientDisconnect: the caller is gone.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise wrong("content-encoding", "A body must not be compressed.")
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
        raise too_large(MAX_BODY_BYTES)
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(_ARRIVAL_SECONDS):
            async for piece in request.stream():
                size += len(piece)
                if size > MAX_BODY_BYTES:
                    raise too_large(MAX_BODY_BYTES)
                held.take(len(piece))
                pieces.append(piece)
    except TimeoutError:
        raise ApiError(408, "The request body did not arrive in time.") from None
    return pieces


async def sent_once(pieces: list[bytes]) -> AsyncGenerator[bytes]:
    """The pieces, each forgotten when it is sent."""
    pieces.reverse()
    while pieces:
        yield pieces.pop()


@dataclass(frozen=True, slots=True)
class Question:
    """What a request says of itself.

    Attributes:
        size: bytes of the body.
        streamed: the answer is wanted as a stream.
        max_output_tokens: of each answer; None: it does not say.
        answers: how many are wanted.
        refers: it may stand for more than the text in it: pictures, files, stored conversations, or tools
            with which the vendor brings in something of its own.
    """

    model: str
    size: int
    streamed: bool
    max_output_tokens: int | None = None
    answers: int = 1
    refers: bool = False


_OUTPUT_LIMITS = {
    MESSAGES.name: ("max_tokens",),
    RESPONSES.name: ("max_output_tokens",),
    CHAT_COMPLETIONS.name: ("max_completion_tokens", "max_tokens"),
}


def understand(endpoint: Endpoint, pieces: list[bytes]) -> Question:
    """Look into a body.

    Raises:
        ApiError: 400, it does not say what has to be known, or wants what cannot be accounted for.
    """
    whole = b"".join(pieces)
    try:
        body: Any = orjson.loads(whole)
    except orjson.JSONDecodeError as error:
        raise ApiError(400, f"The request body is not JSON: {error.msg} at character {error.pos}.") from None
    if not isinstance(body, dict):
        raise ApiError(400, "The request body is not a JSON object.")
    fields = cast("dict[str, Any]", body)
    model = fields.get("model")
    if not isinstance(model, str) or not 0 < len(model) <= _MAX_MODEL or not model.isprintable():
        raise wrong("model", f"The name of a model is needed, of at most {_MAX_MODEL} characters.")
    if fields.get("background"):
        raise wrong("background", "Answers that are fetched later do not go through the gateway.")
    limits = [fields.get(name) for name in _OUTPUT_LIMITS.get(endpoint.name, ())]
    told = next((limit for limit in limits if isinstance(limit, int) and limit > 0), None)
    answers = fields.get("n")
    return Question(
        model,
        len(whole),
        streamed=fields.get("stream") is True,
        max_output_tokens=told,
        answers=answers if isinstance(answers, int) and answers > 1 else 1,
        refers=_refers(fields),
    )


_OF_TEXT = frozenset(
    {
        *(
            "model",
            "stream",
            "stream_options",
            "n",
            "max_tokens",
            "max_output_tokens",
            "max_completion_tokens",
        ),
        *("messages", "input", "system", "instructions", "tools", "tool_choice", "parallel_tool_calls"),
        *("temperature", "top_p", "top_k", "top_logprobs", "logprobs", "logit_bias", "seed", "stop"),
        *("stop_sequences", "presence_penalty", "frequency_penalty", "thinking", "reasoning", "text"),
        *(
            "reasoning_effort",
            "verbosity",
            "response_format",
            "output_config",
            "include",
            "store",
            "metadata",
        ),
        *("user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "service_tier"),
        *("functions", "function_call", "truncation", "max_tool_calls", "cache_control", "background"),
    }
)
"""Fields that bring nothing into a conversation but the text in them."""

_TEXTS = frozenset(
    {
        *("text", "input_text", "output_text", "refusal", "summary_text", "reasoning_text", "message"),
        *("thinking", "redacted_thinking", "reasoning", "tool_use", "tool_result", "function_call"),
        *("function_call_output", "custom_tool_call", "custom_tool_call_output"),
    }
)
"""Types of messages, items and parts that are what they say."""

_OWN_TOOLS = (None, "function", "custom")
"""Types of tools that the caller runs."""


def _refers(fields: Mapping[str, Any]) -> bool:
    if any(value for name, value in fields.items() if name not in _OF_TEXT):
        return True
    if any(tool.get("type") not in _OWN_TOOLS for tool in _objects(fields.get("tools"))):
        return True
    waiting = _objects(fields.get("messages")) + _objects(fields.get("input"))
    while waiting:
        part = waiting.pop()
        if part.get("type", "message") not in _TEXTS:
            return True
        waiting += _objects(part.get("content")) + _objects(part.get("output"))
    return False


def _objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects of an array; of anything else that is none of text, one that nobody knows."""
    if not isinstance(value, list):
        return [] if value is None or isinstance(value, str) else [{"type": "unknown"}]
    members = cast("list[Any]", value)
    return [cast("dict[str, Any]", one) if isinstance(one, dict) else {"type": "unknown"} for one in members]
