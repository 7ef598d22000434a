"""What a chat says about its tools, as it was created."""

from collections.abc import Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class DynamicTool(BaseModel):
    """A tool that the client which declared it runs. `input_schema` is a JSON schema of an object."""

    model_config = ConfigDict(frozen=True)

    name: str
    description: str = ""
    input_schema: dict[str, Any]


class ChatTools(BaseModel):
    """Beside the tools of the deployment.

    Attributes:
        dynamic: tools of the client.
        approval_required: names of tools, of the deployment or of the client, whose calls wait for a person.
        active: names of the deployment's tools that may be called; None stands for all.
    """

    model_config = ConfigDict(frozen=True)

    dynamic: tuple[DynamicTool, ...] = ()
    approval_required: tuple[str, ...] = ()
    active: tuple[str, ...] | None = None

    def activating(self, names: Sequence[str]) -> Self:
        """The same with these tools of the deployment active, each named once; with none of them all are."""
        return self.model_copy(update={"active": tuple(dict.fromkeys(names)) or None})

    def stored(self) -> dict[str, Any] | None:
        """The form kept on the chat's row; None where nothing is said."""
        return self.model_dump(mode="json", exclude_defaults=True) or None
