"""Activities beside a chat's turns: nobody waits for them, and what becomes of them changes nothing."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities import contract
    from models.turns import ChatNaming, TurnLabel
    from workflows.chat import policies


class Beside:
    """What runs beside the turns of one chat. A run ends or hands over only when that is done."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        return bool(self._running)

    def name_chat(self, wanted: ChatNaming) -> None:
        """Have a title found for the chat."""
        self._start(
            workflow.start_activity(contract.name_chat, wanted, **policies.aside("title of the chat"))
        )

    def label_turn(self, wanted: TurnLabel) -> None:
        """Have a label found for a turn that has ended."""
        self._start(
            workflow.start_activity(
                contract.label_turn, wanted, **policies.aside(f"label of turn {wanted.turn}")
            )
        )

    def _start(self, handle: workflow.ActivityHandle[None]) -> None:
        task = asyncio.create_task(_to_its_end(handle))
        self._running.add(task)
        task.add_done_callback(self._running.discard)


async def _to_its_end(handle: workflow.ActivityHandle[None]) -> None:
    try:
        await handle
    except ActivityError:
        workflow.logger.warning("an activity beside the turns has failed; see its failure in the history")
