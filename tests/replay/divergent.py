"""A later version of the chat's workflow, as somebody careless would write it."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from models.turns import ChatStart
    from workflows.chat.workflow import ChatWorkflow


@workflow.defn(name="ChatWorkflow")
class DivergentWorkflow(ChatWorkflow):
    """Takes a breath before it begins, also in runs that began without one."""

    @workflow.init
    def __init__(self, start: ChatStart) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: ChatStart) -> None:
        await workflow.sleep(timedelta(seconds=1))
        await super().run(start)
