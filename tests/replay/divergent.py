"""Later versions of the workflows, as somebody careless would write them."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from models.provider_check import ProviderCheck, ProviderChecked
    from models.turns import ChatStart, Proposed, TitleProposal
    from workflows.chat.workflow import ChatWorkflow
    from workflows.providers.workflow import ProviderCheckWorkflow
    from workflows.titles.workflow import TitleWorkflow


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


@workflow.defn(name="TitleWorkflow")
class DivergentTitleWorkflow(TitleWorkflow):
    """Takes a breath, too."""

    @workflow.run
    async def run(self, wanted: TitleProposal) -> Proposed:
        await workflow.sleep(timedelta(seconds=1))
        return await super().run(wanted)


@workflow.defn(name="ProviderCheckWorkflow")
class DivergentProviderCheckWorkflow(ProviderCheckWorkflow):
    """Takes a breath, too."""

    @workflow.run
    async def run(self, check: ProviderCheck) -> ProviderChecked:
        await workflow.sleep(timedelta(seconds=1))
        return await super().run(check)
