"""Thresholds of compaction: each user's own, per model."""

from uuid import uuid4

import pytest
from sqlalchemy import update

from models.store.tables import model_configs
from tests.api.conftest import Door

PATH = "/chats/config/user-compaction-thresholds"


async def test_a_threshold_is_set_changed_and_removed(door: Door):
    http = door.owner.http
    assert (await http.get(PATH)).json() == {"thresholds": []}
    for percent in (30, 100):
        answer = await http.put(f"{PATH}/{door.model}", json={"threshold_percent": percent})
        assert (answer.status_code, answer.json()) == (
            200,
            {"model_config_id": str(door.model), "threshold_percent": percent},
        )
    assert (await http.get(PATH)).json()["thresholds"] == [
        {"model_config_id": str(door.model), "threshold_percent": 100}
    ]
    assert (await door.other.http.get(PATH)).json() == {"thresholds": []}
    for _ in range(2):
        assert (await http.delete(f"{PATH}/{door.model}")).status_code == 204
    assert (await http.get(PATH)).json() == {"thresholds": []}


@pytest.mark.parametrize("body", [{"threshold_percent": 101}, {"threshold_percent": -1}, {}])
async def test_a_threshold_is_a_percentage(door: Door, body: dict[str, int]):
    assert (await door.owner.http.put(f"{PATH}/{door.model}", json=body)).status_code == 400


async def test_only_models_that_can_be_used_have_one(door: Door):
    http, body = door.owner.http, {"threshold_percent": 50}
    assert (await http.put(f"{PATH}/nonsense", json=body)).status_code == 400
    assert (await http.put(f"{PATH}/{uuid4()}", json=body)).status_code == 404
    async with door.engine.begin() as conn:
        await conn.execute(
            update(model_configs).where(model_configs.c.id == door.model).values(enabled=False)
        )
    assert (await http.put(f"{PATH}/{door.model}", json=body)).status_code == 400
