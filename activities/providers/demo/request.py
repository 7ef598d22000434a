"""A Messages request as the demo model reads it: strict about what it knows, lenient about the rest."""

from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

VENDOR_CALLS = ("server_tool_use", "mcp_tool_use")
PAUSED = "_paused"
"""In the id of a call in the middle of which the answer paused."""


class Block(BaseModel):
    """A content block of any type; only the fields that the demo model looks at are named."""

    model_config = ConfigDict(extra="allow")

    type: str
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None
    tool_use_id: str | None = None
    content: Any = None
    is_error: bool | None = None
    cache_control: dict[str, Any] | None = None

    @property
    def is_vendor_call(self) -> bool:
        """Whether this is a call that the vendor runs itself."""
        return self.type in VENDOR_CALLS

    @property
    def is_vendor_result(self) -> bool:
        """Whether this is the result of one."""
        return self.type.endswith("_tool_result")

    @property
    def content_blocks(self) -> list["Block"]:
        """The blocks inside a `tool_result`, whose content is a string or a list of blocks.

        Raises:
            pydantic.ValidationError: the content is neither.
        """
        if isinstance(self.content, str):
            return [Block(type="text", text=self.content)] if self.content else []
        return BLOCKS.validate_python(self.content or [])

    @property
    def result_text(self) -> str:
        """The text of a `tool_result`."""
        return "\n".join(block.text for block in self.content_blocks if block.type == "text" and block.text)


BLOCKS = TypeAdapter(list[Block])


class Message(BaseModel):
    model_config = ConfigDict(extra="allow")

    role: Literal["user", "assistant"]
    content: str | list[Block]

    @cached_property
    def blocks(self) -> list[Block]:
        return [Block(type="text", text=self.content)] if isinstance(self.content, str) else self.content

    @property
    def text(self) -> str:
        return "\n".join(block.text for block in self.blocks if block.type == "text" and block.text)

    @property
    def open_vendor_call(self) -> Block | None:
        """The last call of the vendor in it, if that has no result here."""
        answered = {block.tool_use_id for block in self.blocks if block.is_vendor_result}
        calls = [block for block in self.blocks if block.is_vendor_call]
        return calls[-1] if calls and calls[-1].id not in answered else None

    @property
    def pauses_over(self) -> int:
        """How many answers in it went on after a pause: what went on is told as one message."""
        answered = {block.tool_use_id or "" for block in self.blocks if block.is_vendor_result}
        calls = {block.id for block in self.blocks if block.is_vendor_call}
        return sum(PAUSED in call_id and call_id in calls for call_id in answered)


class Tool(BaseModel):
    model_config = ConfigDict(extra="allow")

    name: str | None = None
    type: str | None = None
    cache_control: dict[str, Any] | None = None


class Thinking(BaseModel):
    model_config = ConfigDict(extra="allow")

    type: str
    budget_tokens: int | None = None


class MessagesRequest(BaseModel):
    """The body of `POST /v1/messages`."""

    model_config = ConfigDict(extra="allow")

    model: str
    max_tokens: int
    messages: list[Message]
    system: str | list[Block] | None = None
    tools: list[Tool] = []
    tool_choice: dict[str, Any] | None = None
    thinking: Thinking | None = None
    stream: bool = False

    @property
    def last_typed_index(self) -> int:
        """Index of the last message in which the user said something, beyond handing in tool results."""
        for index in range(len(self.messages) - 1, -1, -1):
            if self.messages[index].role == "user" and self.messages[index].text:
                return index
        return 0

    @property
    def step(self) -> int:
        """How many times the assistant has spoken since the user did."""
        since = self.messages[self.last_typed_index + 1 :]
        return sum(1 + message.pauses_over for message in since if message.role == "assistant")

    @property
    def paused_call(self) -> Block | None:
        """The call whose result the answer has to begin with, because it paused there."""
        last = self.messages[-1]
        return last.open_vendor_call if last.role == "assistant" else None

    @property
    def typed(self) -> str:
        return self.messages[self.last_typed_index].text

    @property
    def answers(self) -> int:
        return sum(message.role == "assistant" for message in self.messages)

    @property
    def results(self) -> list[str]:
        return [block.result_text for block in self.messages[-1].blocks if block.type == "tool_result"]

    @property
    def forbids_tools(self) -> bool:
        """Whether the model may call no tool at all."""
        return self.tool_choice is not None and self.tool_choice.get("type") == "none"

    @property
    def tool_names(self) -> frozenset[str]:
        return frozenset(tool.name for tool in self.tools if tool.name)
