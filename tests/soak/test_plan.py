"""A plan is its seed's, and leaves out nothing."""

from itertools import islice
from typing import get_args

from activities.providers.demo.script import Script
from tests.soak.plan import BUSY, Action, Say, chaos_plan, chat_plan, reader_plan
from tests.soak.turns import CLIENT_TOOL, ONCE, PERMANENT, TRANSIENT

PLANS = [chat_plan(7, lane, number) for lane in range(7) for number in range(1, 40)]


def test_the_same_seed_makes_the_same_plan():
    assert chat_plan(7, 1, 2) == chat_plan(7, 1, 2)
    assert chat_plan(7, 1, 2) != chat_plan(8, 1, 2)
    assert list(islice(chaos_plan(7), 50)) == list(islice(chaos_plan(7), 50))
    assert list(islice(chaos_plan(7), 50)) != list(islice(chaos_plan(8), 50))
    assert list(islice(reader_plan("a"), 50)) == list(islice(reader_plan("a"), 50))


def test_every_script_is_one():
    for plan in PLANS:
        Script.model_validate({"steps": plan.first.steps})
        assert plan.name in plan.first.message


def test_everything_a_person_can_do_is_done():
    done = {type(planned.action) for plan in PLANS for planned in plan.actions}
    assert done == set(get_args(Action))


def test_every_kind_of_tool_is_called():
    called = {call["name"] for plan in PLANS for step in plan.first.steps for call in step.get("tools", ())}
    assert called == {"current_time", "execute", CLIENT_TOOL, "no_such_tool", "again", *ONCE}


def test_every_fault_is_met():
    said = [
        planned.action.turn for plan in PLANS for planned in plan.actions if isinstance(planned.action, Say)
    ]
    met = {fault for turn in said for fault in turn.faults}
    assert met == {*TRANSIENT, "too_long", *(f"status_{status}" for status in PERMANENT)}


def test_every_way_to_send_a_message_is_taken():
    actions = [planned.action for plan in PLANS for planned in plan.actions]
    assert {action.busy for action in actions if isinstance(action, Say)} == set(BUSY)


def test_every_part_is_disturbed_in_every_way_before_chance_decides():
    strikes = {strike for disturbance in islice(chaos_plan(7), 17) for strike in disturbance.strikes}
    assert {(strike.part, strike.deed) for strike in strikes} >= {
        (part, deed)
        for part in ("worker", "other-worker", "api", "valkey", "temporal")
        for deed in ("kill", "stop", "freeze")
    }
