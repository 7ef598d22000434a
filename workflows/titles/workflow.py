"""A proposal of a title: one model call, asked for by a person who waits for it.

It changes nothing of the chat, so it is no command to the chat's workflow, and it runs on a worker because
that is where models can be called. What comes back is an id.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities import contract
    from models.turns import Proposed, TitleProposal
    from workflows.chat import policies


@workflow.defn(name="TitleWorkflow")
class TitleWorkflow:
    @workflow.run
    async def run(self, wanted: TitleProposal) -> Proposed:
        """Have a title proposed."""
        return await workflow.execute_activity(
            contract.propose_title, wanted, **policies.aside("proposal of a title")
        )
