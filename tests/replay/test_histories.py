"""Chats that began under an earlier version go on under this one.

After a change that these tests reject: guard the new behaviour with `workflow.patched`. Only while a version
has not been released may its histories be recorded anew: `make histories`.
"""

import re
from pathlib import Path

import pytest
from temporalio.api.history.v1 import History
from temporalio.workflow import NondeterminismError

from tests.durable.histories import words_in_history
from tests.replay.divergent import DivergentWorkflow
from tests.replay.record import HISTORIES, NAMED, SCENARIOS, SHORT_RUNS, VERSION, scenario_name
from tests.replay.replaying import recorded, replayer
from tests.replay.scenarios import WORDS
from workflows.chat.workflow import ChatWorkflow

RECORDED = sorted(HISTORIES.glob("*/*.json"))


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("sandbox", [False, True], ids=["bare", "sandboxed"])
@pytest.mark.parametrize("path", RECORDED, ids=name_of)
async def test_a_recorded_chat_is_replayed_as_it_went(path: Path, sandbox: bool):
    await replayer(ChatWorkflow, sandbox=sandbox).replay_workflow(recorded(path))


@pytest.mark.parametrize("path", RECORDED, ids=name_of)
async def test_a_workflow_that_does_things_in_another_order_would_be_noticed(path: Path):
    with pytest.raises(NondeterminismError):
        await replayer(DivergentWorkflow, sandbox=False).replay_workflow(recorded(path))


@pytest.mark.parametrize("path", RECORDED, ids=name_of)
def test_a_recorded_chat_holds_nothing_that_was_said_and_no_name_of_a_machine(path: Path):
    history = recorded(path)
    (chat,) = set(re.findall(r"chat-([0-9a-f-]{36})", str(History(events=history.events[:1]))))
    assert words_in_history(history, [*WORDS, chat]) == {chat}
    assert not re.search(r'"\d+@|stackTrace|"identity"', path.read_text())


def test_every_scenario_is_recorded():
    names = {path.stem.split(".")[0] for path in (HISTORIES / VERSION).glob("*.json")}
    assert names == {scenario_name(scenario) for scenario in (*SCENARIOS, *SHORT_RUNS, *NAMED)}
