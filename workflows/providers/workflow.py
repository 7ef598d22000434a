"""One small call to a provider, asked for by a person who waits for it.

It runs on a worker because that is where models can be called, with the keys and the network that chats have.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities import contract
    from models.provider_check import ProviderCheck, ProviderChecked
    from workflows.chat import policies


@workflow.defn(name="ProviderCheckWorkflow")
class ProviderCheckWorkflow:
    @workflow.run
    async def run(self, check: ProviderCheck) -> ProviderChecked:
        """Make the call."""
        return await workflow.execute_activity(
            contract.check_provider, check, **policies.aside("check of a provider")
        )
