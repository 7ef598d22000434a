"""Tools that a client brings along, checked (spec api.md 4.1)."""

from api.chats.schemas import CreateChat
from api.errors import invalid
from models.chat_tools import ChatTools, DynamicTool


def checked_tools(body: CreateChat) -> ChatTools:
    """What a new chat says about its tools.

    Whether a name is that of a built-in tool only shows when a turn starts: a door does not know those.

    Raises:
        ApiError: 400, a name comes twice or a schema is not that of an object.
    """
    seen: set[str] = set()
    tools: list[DynamicTool] = []
    for index, tool in enumerate(body.unsafe_dynamic_tools or []):
        place = f"unsafe_dynamic_tools[{index}]"
        if tool.name in seen:
            raise invalid((f"{place}.name", f"There are two tools named {tool.name}."))
        if tool.input_schema.get("type", "object") != "object":
            raise invalid((f"{place}.input_schema", 'Its "type" must be "object".'))
        seen.add(tool.name)
        tools.append(
            DynamicTool(name=tool.name, description=tool.description, input_schema=tool.input_schema)
        )
    return ChatTools(
        dynamic=tuple(tools),
        approval_required=tuple(body.approval_required_tools or ()),
    ).activating(body.active_tools or ())
