"""What a script is, and how one is found in a conversation."""

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from activities.providers.demo.conversation import Conversation
from activities.providers.demo.faults import Cut, Fault

FENCE = "```demo"

StopReason = Literal[
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
]


class InvalidScript(Exception):
    """The script in the conversation cannot be read; the message says where and why."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ToolCall(_Part):
    """One tool call that the model makes."""

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,128}$")
    input: dict[str, Any] = Field(default_factory=dict[str, Any])


class ServerTool(_Part):
    """A tool that the vendor runs itself, with what it found."""

    kind: Literal["web_search", "web_fetch", "code_interpreter", "file_search", "mcp"]
    input: dict[str, Any] = Field(default_factory=dict[str, Any])
    output: str = Field(default="", max_length=100_000)


class Source(_Part):
    """What the text refers to."""

    url: str = Field(max_length=2000)
    title: str = Field(default="", max_length=500)


class Framing(_Part):
    """Odd but legal ways to write the same events."""

    crlf: bool = False
    comments: bool = Field(default=False, description="comments and unknown events between the events")
    chunk_bytes: int | None = Field(default=None, ge=1, description="bytes in one write, wherever that cuts")
    interleaved: bool = Field(default=False, description="arguments of parallel calls alternate")
    whole_arguments: bool = Field(default=False, description="arguments of a call in one piece")
    first_tool_index: int = Field(default=0, ge=0, description="where calls are numbered")


PLAIN = Framing()


class Usage(_Part):
    """Token counts to report in place of the ones computed from sizes."""

    input_tokens: int | None = Field(default=None, ge=0)
    output_tokens: int | None = Field(default=None, ge=0)
    cache_read_input_tokens: int = Field(default=0, ge=0)
    cache_creation_input_tokens: int = Field(default=0, ge=0)
    reasoning_tokens: int = Field(default=0, ge=0, description="of the output tokens")


class Hold(Cut):
    """A place where the stream waits until somebody releases the hold `name`."""

    name: str = Field(min_length=1, max_length=200)


class Step(_Part):
    """One answer of the model: what it says, how fast, and what goes wrong on the way."""

    thinking: str = Field(default="", max_length=100_000)
    text: str = Field(default="", max_length=500_000)
    pieces: int | None = Field(
        default=None, ge=1, le=10_000, description="deltas of text; by words if not given"
    )
    first_after_seconds: float = Field(default=0.0, ge=0, le=3600)
    every_seconds: float = Field(default=0.0, ge=0, le=60)
    tools: tuple[ToolCall, ...] = Field(default=(), max_length=50)
    server_tools: tuple[ServerTool, ...] = Field(default=(), max_length=20)
    sources: tuple[Source, ...] = Field(default=(), max_length=20, description="that the text refers to")
    refusal: str = Field(
        default="", max_length=10_000, description="instead of text, where the vendor has it"
    )
    phase: Literal["commentary", "final_answer"] | None = None
    framing: Framing = PLAIN
    stop_reason: StopReason | None = Field(default=None, description="by the content if not given")
    usage: Usage = Usage()
    hold: Hold | None = None
    fault: tuple[Fault, ...] = Field(
        default=(), max_length=100, description="the n-th attempt meets the n-th"
    )

    @field_validator("fault", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, dict) else value


class Script(_Part):
    """The answers to one message of the user, one step per model call."""

    steps: tuple[Step, ...] = Field(min_length=1, max_length=500)
    aside: dict[str, Step] = Field(
        default_factory=dict[str, Step],
        max_length=10,
        description="the answers to calls that offer the tool of this name alone",
    )


AFTER_THE_LAST_STEP = Step(text="That was the last step of the script.")


def script_block(*steps: Step | dict[str, Any], aside: dict[str, dict[str, Any]] | None = None) -> str:
    """The fenced block that, put anywhere in a message of the user, scripts the answers to it.

    Raises:
        pydantic.ValidationError: the steps are no script.
    """
    script = Script.model_validate({"steps": steps, "aside": aside or {}})
    return f"{FENCE}\n{script.model_dump_json(exclude_defaults=True)}\n```"


def scripted_step(request: Conversation) -> Step | None:
    """The step that the script in the last typed message has for this request, or None without a script.

    Raises:
        InvalidScript: the block is not JSON, or not a script.
    """
    script = _find_script(request.typed)
    if script is None:
        return None
    return script.steps[request.step] if request.step < len(script.steps) else AFTER_THE_LAST_STEP


def scripted_aside(request: Conversation) -> Step | None:
    """What the script has for a call beside the conversation: one that offers a single tool which `aside`
    names. The conversation may be clipped there: a script that cannot be read is none."""
    if len(request.tool_names) != 1:
        return None
    try:
        script = _find_script(request.typed)
    except InvalidScript:
        return None
    return script.aside.get(next(iter(request.tool_names))) if script else None


def _find_script(text: str) -> Script | None:
    """The last block: after a turn without an answer, a message holds all that the user typed since."""
    block: str | None = None
    rest = text
    while True:
        _, fence, rest = rest.partition(FENCE)
        if not fence:
            return None if block is None else _read_script(block)
        if rest[:1].isspace():
            block = rest.lstrip()
            rest = block[_end_of_json(block) :]


def _end_of_json(block: str) -> int:
    """Where the search for a further block goes on: a scripted text may hold fences itself."""
    try:
        return json.JSONDecoder().raw_decode(block)[1]
    except json.JSONDecodeError:
        return 0


def _read_script(block: str) -> Script:
    try:
        value, end = json.JSONDecoder().raw_decode(block)
    except json.JSONDecodeError as error:
        raise InvalidScript(f"demo script: not JSON: {error}") from error
    if not block[end:].lstrip().startswith("```"):
        raise InvalidScript("demo script: only one JSON object may stand between ```demo and ```")
    try:
        return Script.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "script"
        raise InvalidScript(f"demo script: {place}: {first['msg']}") from error
