"""The tools that come with Perdure."""

from typing import Any

from activities.tools.current_time import current_time
from activities.tools.tool import Tool


def builtin_tools() -> list[Tool[Any]]:
    return [current_time()]
