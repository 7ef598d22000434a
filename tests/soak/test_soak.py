"""A minute of everything at once. For longer: `make soak SECONDS=600 SEED=7`."""

from pathlib import Path

import pytest

from tests.soak.soak import Soak

SEED = 7
SECONDS = 60


@pytest.mark.timeout(300)
async def test_everything_holds_while_everything_happens(tmp_path: Path):
    report = await Soak(SEED, SECONDS, tmp_path, say=lambda line: None).run()
    assert not report.contradictions, report.text()
    assert report.counts["chats"] >= 7, report.text()
