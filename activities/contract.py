"""The activities as the workflow knows them: names and types, no code.

The only module of this room a workflow may import. Each stub has exactly one implementation of the same
name and types beside it; a test compares them.
"""

from uuid import UUID

from temporalio import activity

from models.chat_state import ChatState
from models.provider_check import ProviderCheck, ProviderChecked
from models.turns import (
    ChatNaming,
    Commit,
    Compaction,
    ModelCall,
    Proposed,
    Receipt,
    ResultsCommit,
    StepOutcome,
    TitleProposal,
    ToolEnd,
    ToolRun,
    TurnLabel,
)


@activity.defn
async def commit_transition(commit: Commit) -> Receipt:
    """Apply one write to the chat's rows. A few milliseconds: run as a local activity."""
    raise NotImplementedError


@activity.defn
async def commit_results(commit: ResultsCommit) -> ChatState:
    """Move a step's tool results into history. A few milliseconds: run as a local activity."""
    raise NotImplementedError


@activity.defn
async def read_state(chat_id: UUID) -> ChatState:
    """The chat's execution state as committed last. Run as a local activity."""
    raise NotImplementedError


@activity.defn
async def call_model(call: ModelCall) -> StepOutcome:
    """Run one step: call the model, stream its answer, commit it."""
    raise NotImplementedError


@activity.defn
async def compact(compaction: Compaction) -> ChatState:
    """Summarize the conversation and put the summary in its place."""
    raise NotImplementedError


@activity.defn
async def check_provider(check: ProviderCheck) -> ProviderChecked:
    """Make a small call to a provider. Whatever becomes of it is an outcome."""
    raise NotImplementedError


@activity.defn
async def run_tool(run: ToolRun) -> ToolEnd:
    """Run one tool call and record its result in the ledger. In a chat that is being interrupted: end what
    an earlier attempt at it may have going on."""
    raise NotImplementedError


@activity.defn
async def name_chat(wanted: ChatNaming) -> None:
    """Find a title for a new chat."""
    raise NotImplementedError


@activity.defn
async def label_turn(wanted: TurnLabel) -> None:
    """Find a label for a turn that has ended."""
    raise NotImplementedError


@activity.defn
async def propose_title(wanted: TitleProposal) -> Proposed:
    """Propose a title for a chat."""
    raise NotImplementedError
