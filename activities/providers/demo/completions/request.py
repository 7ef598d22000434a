"""A Chat Completions request: refused where the vendor would, and what the demo model reads in it."""

import re
from dataclasses import dataclass
from typing import Any

from activities.providers.demo.completions.servers import Server
from activities.providers.demo.dialect import InvalidRequest
from activities.providers.demo.schemas import check_schema
from activities.providers.demo.shapes import as_list, as_object
from activities.providers.demo.signing import sign_reasoning

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
MAX_CALL_ID = 40
_DATA_URL = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,[A-Za-z0-9+/]+=*")

Message = dict[str, Any]

_PART_FIELD = {"text": "text", "image_url": "image_url", "file": "file", "refusal": "refusal"}


@dataclass(frozen=True, slots=True)
class CompletionsRequest:
    """The body of `POST /v1/chat/completions`. Implements `Conversation`."""

    body: dict[str, Any]

    @property
    def messages(self) -> list[Message]:
        return self.body["messages"]

    @property
    def model(self) -> str:
        return self.body["model"]

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream"))

    @property
    def wants_usage(self) -> bool:
        options = as_object(self.body.get("stream_options"))
        return bool(options and options.get("include_usage"))

    @property
    def _last_typed(self) -> int:
        for index in range(len(self.messages) - 1, -1, -1):
            if self.messages[index]["role"] == "user" and _is_typed(self.messages, index):
                return index
        return 0

    @property
    def typed(self) -> str:
        # Messages in a row are one: after a turn without an answer, all that was typed since counts.
        end = start = self._last_typed
        while start and self.messages[start - 1]["role"] == "user":
            start -= 1
        return "\n".join(text for message in self.messages[start : end + 1] if (text := text_of(message)))

    @property
    def step(self) -> int:
        return sum(message["role"] == "assistant" for message in self.messages[self._last_typed + 1 :])

    @property
    def answers(self) -> int:
        return sum(message["role"] == "assistant" for message in self.messages)

    @property
    def results(self) -> list[str]:
        last: list[str] = []
        for message in reversed(self.messages):
            if message["role"] != "tool":
                break
            last.insert(0, text_of(message))
        return last

    @property
    def forbids_tools(self) -> bool:
        return self.body.get("tool_choice") == "none"

    @property
    def tool_names(self) -> frozenset[str]:
        tools: list[Any] = self.body.get("tools") or []
        return frozenset(tool["function"]["name"] for tool in tools if "function" in tool)


def text_of(message: Message) -> str:
    """The text of a message, of whatever kind."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part["type"] == "text")


def read_request(body: Any, server: Server) -> CompletionsRequest:
    """Read and check a decoded body.

    Raises:
        InvalidRequest: it breaks a rule of this server.
    """
    settings = as_object(body)
    if settings is None:
        raise InvalidRequest("The body must be a JSON object.")
    for name in settings:
        if name not in server.parameters:
            raise InvalidRequest(f"Unrecognized request argument supplied: {name}", param=name)
    if not settings.get("model"):
        raise InvalidRequest("you must provide a model parameter")
    if "max_tokens" in settings and "max_completion_tokens" in settings:
        raise InvalidRequest(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            code="invalid_parameter_combination",
        )
    messages = as_list(settings.get("messages"))
    if not messages:
        raise InvalidRequest("[] is too short - 'messages'", param="messages")
    for index, message in enumerate(messages):
        _check_message(f"messages.[{index}]", message, server)
    _check_pairs(messages)
    _check_tools(settings, server)
    return CompletionsRequest(settings)


def _is_typed(messages: list[Message], index: int) -> bool:
    """Whether a user typed it: pictures of tool results are handed in as if a user had."""
    text = text_of(messages[index])
    return bool(text) and not (index and messages[index - 1]["role"] == "tool" and text.startswith("[tool "))


def _check_message(place: str, message: Message, server: Server) -> None:
    role = message.get("role")
    match role:
        case "system" | "developer":
            if role != server.system_role:
                raise InvalidRequest(f"Invalid value: '{role}'.", param=f"{place}.role")
            _check_content(place, message.get("content"), {"text"})
        case "user":
            _check_content(place, message.get("content"), {"text", "image_url", "file"})
        case "assistant":
            _check_assistant(place, message, server)
        case "tool":
            if not message.get("tool_call_id"):
                raise InvalidRequest(f"Missing parameter 'tool_call_id': {place}.", param=place)
            _check_content(place, message.get("content"), {"text"}, may_be_empty=True)
        case _:
            raise InvalidRequest(f"Invalid value: '{role}'.", param=f"{place}.role", code="invalid_value")


def _check_assistant(place: str, message: Message, server: Server) -> None:
    calls = message.get("tool_calls")
    if calls is not None and not calls:
        raise InvalidRequest(f"[] is too short - '{place}.tool_calls'", param=f"{place}.tool_calls")
    if message.get("content") is not None:
        _check_content(place, message["content"], {"text", "refusal"})
    elif not calls and not message.get("refusal"):
        raise InvalidRequest(f"Invalid value for 'content': expected a string, got null: {place}.")
    known = {"role", "content", "tool_calls", "refusal", "name"}
    if server.reasoning:
        known |= {server.reasoning}
    if server.reasoning_details:
        known |= {"reasoning_details"}
        _check_details(message.get("reasoning_details") or [])
    for name in message:
        if name not in known:
            raise InvalidRequest(f"Additional properties are not allowed ('{name}' was unexpected): {place}")
    for call in calls or ():
        function = as_object(call.get("function")) or dict[str, Any]()
        arguments = function.get("arguments")
        if call.get("type") != "function" or not call.get("id") or not isinstance(arguments, str):
            raise InvalidRequest(f"Invalid '{place}.tool_calls'.", param=f"{place}.tool_calls")
        if len(call["id"]) > MAX_CALL_ID or not NAME.fullmatch(function.get("name") or ""):
            raise InvalidRequest(f"Invalid '{place}.tool_calls[0].id': string too long.", param=place)


def _check_details(details: list[dict[str, Any]]) -> None:
    for detail in details:
        if detail.get("signature") != sign_reasoning(detail.get("text") or ""):
            raise InvalidRequest("Invalid `signature` in `reasoning_details`.")


def _check_content(place: str, content: Any, allowed: set[str], *, may_be_empty: bool = False) -> None:
    if isinstance(content, str) and (content or may_be_empty):
        return
    parts = as_list(content)
    if not parts:
        raise InvalidRequest(f"Invalid type for '{place}.content'.", param=f"{place}.content")
    for part in parts:
        kind = part.get("type")
        if kind not in allowed or not part.get(_PART_FIELD[kind]):
            raise InvalidRequest(f"Invalid value: '{kind}'.", param=f"{place}.content", code="invalid_value")
        if kind == "image_url" and not _DATA_URL.fullmatch(part["image_url"]["url"]):
            raise InvalidRequest("Invalid image URL.", code="invalid_image_url")
        if kind == "file" and not _DATA_URL.fullmatch(part["file"].get("file_data") or ""):
            raise InvalidRequest("Invalid file data.", code="invalid_value")


def _check_pairs(messages: list[Message]) -> None:
    open_calls: list[str] = []
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_calls:
                raise InvalidRequest(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message "
                    "with 'tool_calls'.",
                    param=f"messages.[{index}].role",
                )
            open_calls.remove(message["tool_call_id"])
            continue
        _require_answers(open_calls, index)
        open_calls = [call["id"] for call in message.get("tool_calls") or ()]
        if len(open_calls) != len(set(open_calls)):
            raise InvalidRequest("Duplicate tool_call_id.", param=f"messages.[{index}].tool_calls")
    _require_answers(open_calls, len(messages))


def _require_answers(open_calls: list[str], index: int) -> None:
    if open_calls:
        raise InvalidRequest(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            "'tool_call_id'. The following tool_call_ids did not have response messages: "
            + ", ".join(open_calls),
            param=f"messages.[{index}].role",
        )


def _check_tools(settings: dict[str, Any], server: Server) -> None:
    names: list[str] = []
    for index, tool in enumerate(settings.get("tools") or ()):
        if tool.get("type") in server.own_tools:
            continue
        function = as_object(tool.get("function"))
        if tool.get("type") != "function" or function is None:
            raise InvalidRequest(f"Missing required parameter: 'tools[{index}].function'.", param="tools")
        name = function.get("name") or ""
        if not NAME.fullmatch(name):
            raise InvalidRequest(f"Invalid 'tools[{index}].function.name'.", param="tools")
        check_schema(name, function.get("parameters"), "tools", strict=bool(function.get("strict")))
        names.append(name)
    if len(names) != len(set(names)):
        raise InvalidRequest("Tool names must be unique.", param="tools")
    if "tools" in settings and not settings["tools"]:
        raise InvalidRequest("[] is too short - 'tools'", param="tools")
    if "tool_choice" in settings and not names:
        raise InvalidRequest("'tool_choice' is only allowed when 'tools' are specified.")
