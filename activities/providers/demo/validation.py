"""Refuse what Anthropic would refuse, in its words: an independent check of the requests that we assemble."""

import re
from collections import Counter
from typing import Any

from pydantic import ValidationError

from activities.providers.demo.dialect import InvalidRequest
from activities.providers.demo.request import Block, Message, MessagesRequest
from activities.providers.demo.wire import sign_thinking

MAX_CACHE_POINTS = 4
MIN_THINKING_BUDGET = 1024
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
TOOL_USE_ID = re.compile(r"[a-zA-Z0-9_-]+")


def read_request(body: Any) -> MessagesRequest:
    """Read and check a decoded body.

    Raises:
        InvalidRequest: with the place and the rule, for instance `messages.2.content.0: ...`.
    """
    try:
        request = MessagesRequest.model_validate(body)
        _check_settings(request)
        _check_order(request.messages)
        for index, message in enumerate(request.messages):
            _check_content(f"messages.{index}", message)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "body"
        raise InvalidRequest(f"{place}: {first['msg']}") from error
    _check_tool_pairs(request.messages)
    _check_vendor_pairs(request.messages)
    _check_cache_points(request)
    return request


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InvalidRequest(message)


def _check_settings(request: MessagesRequest) -> None:
    _require(bool(request.model), "model: String should have at least 1 character")
    _require(request.max_tokens >= 1, "max_tokens: Input should be greater than or equal to 1")
    # a set of tools of an MCP server is the only one without a name
    names = [tool.name or "" for tool in request.tools if tool.type != "mcp_toolset"]
    _require(len(names) == len(set(names)), "tools: Tool names must be unique.")
    for index, name in enumerate(names):
        matches = TOOL_NAME.fullmatch(name) is not None
        _require(matches, f"tools.{index}.name: String should match pattern '^{TOOL_NAME.pattern}$'")
    if request.thinking is not None and request.thinking.type == "enabled":
        budget = request.thinking.budget_tokens
        if budget is None:
            raise InvalidRequest("thinking.enabled.budget_tokens: Field required")
        _require(
            budget >= MIN_THINKING_BUDGET,
            f"thinking.enabled.budget_tokens: Input should be greater than or equal to {MIN_THINKING_BUDGET}",
        )
        _require(budget < request.max_tokens, "`max_tokens` must be greater than `thinking.budget_tokens`.")
    if isinstance(request.system, list):
        for index, block in enumerate(request.system):
            _check_text(f"system.{index}", block)


def _check_order(messages: list[Message]) -> None:
    _require(bool(messages), "messages: at least one message is required")
    _require(messages[0].role == "user", 'messages: first message must use the "user" role')
    _require(
        messages[-1].role == "user" or messages[-1].open_vendor_call is not None,
        "This model does not support assistant message prefill. "
        "The conversation must end with a user message.",
    )


def _check_content(place: str, message: Message) -> None:
    _require(bool(message.content), f"{place}: all messages must have non-empty content")
    for index, block in enumerate(message.blocks):
        _check_block(f"{place}.content.{index}", message.role, block)


def _check_block(place: str, role: str, block: Block) -> None:
    match block.type:
        case "text":
            _check_text(place, block)
        case "thinking":
            _require(role == "assistant", f"{place}: `thinking` blocks may only be in `assistant` messages")
            _require(block.signature is not None, f"{place}.thinking.signature: Field required")
            genuine = block.signature == sign_thinking(block.thinking or "")
            _require(genuine, f"{place}: Invalid `signature` in `thinking` block")
        case "tool_use":
            _require(role == "assistant", f"{place}: `tool_use` blocks can only be in `assistant` messages")
            for field in ("id", "name", "input"):
                _require(getattr(block, field) is not None, f"{place}.tool_use.{field}: Field required")
            _require(isinstance(block.input, dict), f"{place}.tool_use.input: Input should be an object")
            matches = TOOL_USE_ID.fullmatch(block.id or "") is not None
            _require(matches, f"{place}.tool_use.id: String should match pattern '^{TOOL_USE_ID.pattern}$'")
        case "tool_result":
            _require(role == "user", f"{place}: `tool_result` blocks can only be in `user` messages")
            _require(block.tool_use_id is not None, f"{place}.tool_result.tool_use_id: Field required")
            _require(
                not (block.is_error and not block.content),
                f"{place}.tool_result: content cannot be empty if `is_error` is true",
            )
            for index, part in enumerate(block.content_blocks):
                _check_text(f"{place}.tool_result.content.{index}", part)
        case _ if block.is_vendor_call or block.is_vendor_result:
            _require(
                role == "assistant", f"{place}: `{block.type}` blocks can only be in `assistant` messages"
            )
            fits = isinstance(block.input, dict) or block.is_vendor_result
            _require(fits, f"{place}.{block.type}.input: Input should be an object")
        case _:
            pass


def _check_text(place: str, block: Block) -> None:
    if block.type != "text":
        return
    _require(block.text is not None, f"{place}.text: Field required")
    _require(block.text != "", f"{place}: text content blocks must be non-empty")
    _require(
        not (block.text or "").isspace(), f"{place}: text content blocks must contain non-whitespace text"
    )


def _check_tool_pairs(messages: list[Message]) -> None:
    seen: set[str] = set()
    open_calls: list[str] = []
    for index, message in enumerate(messages):
        results = _leading_results(message)
        missing = [call for call in open_calls if call not in results]
        _require(
            not missing,
            f"messages.{index - 1}: `tool_use` ids were found without `tool_result` blocks immediately "
            f"after: {', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` "
            "block in the next message.",
        )
        _check_results(index, message, open_calls)
        open_calls = [block.id or "" for block in message.blocks if block.type == "tool_use"]
        repeated = [call for call, times in Counter(open_calls).items() if times > 1 or call in seen]
        _require(not repeated, f"messages.{index}: `tool_use` ids must be unique: {', '.join(repeated)}")
        seen.update(open_calls)


def _check_vendor_pairs(messages: list[Message]) -> None:
    """What the vendor runs is told as whole pairs; only an answer that goes on may hold an open call."""
    seen: set[str] = set()
    open_calls: dict[str, str] = {}
    for index, message in enumerate(messages):
        if message.role == "user":
            if message.text and open_calls:
                call_id, name = next(iter(open_calls.items()))
                raise InvalidRequest(
                    f"messages.{index - 1}: `{name}` tool use with id `{call_id}` was found without a "
                    f"corresponding `{name}_tool_result` block"
                )
            continue
        for block in message.blocks:
            if block.is_vendor_call:
                _require(block.id not in seen, f"messages.{index}: `{block.type}` ids must be unique")
                seen.add(block.id or "")
                open_calls[block.id or ""] = block.name or ""
            elif block.is_vendor_result:
                known = open_calls.pop(block.tool_use_id or "", None)
                _require(
                    known is not None,
                    f"messages.{index}: unexpected `tool_use_id` found in `{block.type}` blocks: "
                    f"{block.tool_use_id}",
                )


def _leading_results(message: Message) -> list[str]:
    """The ids answered by the results at the start of a message; results behind other blocks do not count."""
    leading: list[str] = []
    for block in message.blocks:
        if block.type != "tool_result":
            break
        leading.append(block.tool_use_id or "")
    return leading


def _check_results(index: int, message: Message, open_calls: list[str]) -> None:
    results = [block.tool_use_id or "" for block in message.blocks if block.type == "tool_result"]
    for call, times in Counter(results).items():
        _require(
            call in open_calls,
            f"messages.{index}: unexpected `tool_use_id` found in `tool_result` blocks: {call}. Each "
            "`tool_result` block must have a corresponding `tool_use` block in the previous message.",
        )
        _require(
            times == 1,
            f"messages.{index}: each tool_use must have a single result. Found multiple `tool_result` "
            f"blocks with id: {call}",
        )


def _check_cache_points(request: MessagesRequest) -> None:
    points = sum(tool.cache_control is not None for tool in request.tools)
    if isinstance(request.system, list):
        points += sum(block.cache_control is not None for block in request.system)
    points += sum(block.cache_control is not None for message in request.messages for block in message.blocks)
    _require(
        points <= MAX_CACHE_POINTS,
        f"A maximum of {MAX_CACHE_POINTS} blocks with cache_control may be provided. Found {points}.",
    )
