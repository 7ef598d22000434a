"""`perdure usage` and `perdure budgets`, as processes against a whole stack."""

import json
from uuid import uuid4

import pytest

from tests.e2e.conftest import Perdure


async def test_a_budget_is_set_for_a_chat_looked_at_and_removed(perdure: Perdure):
    chat = await perdure("chat", "What time is it?")
    assert chat.code == 0, chat.err
    made = await perdure("budgets", "set", "12.50", "--chat", chat.chat_id)
    assert made.out == f"chat {chat.chat_id}: $12.50 per total, $0.00 consumed.\n", made.err
    told = json.loads((await perdure("budgets", "list", "--json")).out)
    (budget,) = [one for one in told if one.get("chat_id") == chat.chat_id]
    assert (budget["scope"], budget["limit_micros"]) == ("chat", 12_500_000)
    table = (await perdure("budgets", "list")).out.splitlines()
    assert table[0].split() == ["ID", "FOR", "PER", "LIMIT", "CONSUMED", "RESERVED"]
    # the demo model has no price, so no budget can be kept with it
    refused = await perdure("chat", "--resume", chat.chat_id, "And now?")
    assert refused.code == 1
    assert "has no price" in refused.err
    assert (await perdure("budgets", "remove", budget["id"])).out == "Removed.\n"
    assert (await perdure("chat", "--resume", chat.chat_id, "And now?")).code == 0


async def test_usage_is_told_by_day_by_model_and_as_json(perdure: Perdure):
    name = f"ada-{uuid4().hex[:6]}"
    user = json.loads((await perdure("users", "add", name, "--make-token", "--json")).out)
    said = await perdure("chat", "What time is it?", "--token", user["token"])
    assert said.code == 0, said.err
    by_day = (await perdure("usage", "--user", name)).out.splitlines()
    assert by_day[0].split() == ["DAY", "REQUESTS", "INPUT", "OUTPUT", "COST", "WITHOUT", "PRICE"]
    assert by_day[-1].split()[0] == "total"
    own = json.loads((await perdure("usage", "--by", "model", "--json", "--token", user["token"])).out)
    (row,) = own["rows"]
    assert (row["provider"], row["model"]) == ("demo", "perdure-demo")
    assert row["requests"] == row["unpriced_requests"] > 0
    everybody = json.loads((await perdure("usage", "--by", "user", "--json")).out)
    assert {row["username"] for row in everybody["rows"]} > {name}


@pytest.mark.parametrize("amount", ["much", "-1", "0.0000001", "nan", "1e400"])
async def test_an_amount_that_is_none_is_refused_in_a_sentence(perdure: Perdure, amount: str):
    ended = await perdure("budgets", "set", "--", amount)
    assert ended.code == 1
    assert ended.err == "perdure: write the limit in dollars: perdure budgets set 25.00\n"
