"""The short workflows beside chats: what began under an earlier version ends under this one."""

import re
from pathlib import Path

import pytest
from temporalio.workflow import NondeterminismError

from tests.durable.histories import words_in_history
from tests.replay.divergent import DivergentProviderCheckWorkflow, DivergentTitleWorkflow
from tests.replay.record import ASIDES_DIRECTORY, HISTORIES, VERSION, scenario_name
from tests.replay.replaying import recorded, replayer
from tests.replay.scenarios import ASIDES, WORDS
from workflows.providers.workflow import ProviderCheckWorkflow
from workflows.titles.workflow import TitleWorkflow

RECORDED = sorted(HISTORIES.glob(f"*/{ASIDES_DIRECTORY}/*.json"))


def name_of(path: Path) -> str:
    return f"{path.parts[-3]}/{path.stem}"


@pytest.mark.parametrize("sandbox", [False, True], ids=["bare", "sandboxed"])
@pytest.mark.parametrize("path", RECORDED, ids=name_of)
async def test_a_recorded_aside_is_replayed_as_it_went(path: Path, sandbox: bool):
    await replayer(TitleWorkflow, ProviderCheckWorkflow, sandbox=sandbox).replay_workflow(recorded(path))


@pytest.mark.parametrize("path", RECORDED, ids=name_of)
async def test_an_aside_that_does_things_in_another_order_would_be_noticed(path: Path):
    careless = replayer(DivergentTitleWorkflow, DivergentProviderCheckWorkflow, sandbox=False)
    with pytest.raises(NondeterminismError):
        await careless.replay_workflow(recorded(path))


@pytest.mark.parametrize("path", RECORDED, ids=name_of)
def test_a_recorded_aside_holds_nothing_that_was_said_and_no_name_of_a_machine(path: Path):
    history = recorded(path)
    assert words_in_history(history, [*WORDS, "Workflow"]) == {"Workflow"}
    assert not re.search(r'"\d+@|stackTrace|"identity"', path.read_text())


def test_every_aside_is_recorded():
    names = {path.stem for path in (HISTORIES / VERSION / ASIDES_DIRECTORY).glob("*.json")}
    assert names == {scenario_name(aside) for aside in ASIDES}
