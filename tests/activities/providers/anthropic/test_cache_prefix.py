"""Each request extends what the vendor's cache knows of the last one."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from activities.prompt.assemble import ModelFacts, assemble
from activities.providers.anthropic.request import Dialect, wire_request
from activities.providers.protocol import ProviderTool, ToolSpec
from models.store.transcripts import TranscriptMessage
from tests.activities.providers.request_rules.anthropic import broken_rules

from .conversation import NOON

Block = dict[str, Any]
Groups = list[list[tuple[str, list[Block]]]]
TOOLS = [ToolSpec(n, "", {"type": "object", "properties": {}}) for n in ("look", "act", "rest")]


def own(**metadata: Any) -> dict[str, Any]:
    return {"provider_metadata": {"anthropic": metadata}}


def call(number: int, **more: Any) -> Block:
    named = {"tool_call_id": f"call_{number % 7}", "tool_name": "look"}
    return {"type": "tool-call", **named, "args": {"n": number}, **more}


def result(number: int) -> Block:
    named = {"tool_call_id": f"call_{number % 7}", "tool_name": "look"}
    return {"type": "tool-result", **named, "result": "x" * number}


def search(number: int) -> list[Block]:
    named = {"tool_call_id": f"srv_{number}", "tool_name": "web_search", "provider_executed": True}
    block: Block = {"type": "web_search_tool_result", "tool_use_id": f"srv_{number}", "content": []}
    return [
        {"type": "tool-call", **named, "args": {}, **own(block={"type": "server_tool_use"})},
        {"type": "tool-result", **named, "result": [], **own(block=block)},
    ]


text = st.sampled_from(["hello", "well", " ", "…"]).map(lambda t: {"type": "text", "text": t})
thought = st.sampled_from(
    [
        {"type": "reasoning", "text": "Hm.", **own(signature="s")},
        {"type": "reasoning", "text": "", **own(redacted_data="r")},
        {"type": "reasoning", "text": "lost"},
        {"type": "reasoning", "text": "", "provider_metadata": {"openai": {"id": "rs_1"}}},
    ]
)
foreign = st.sampled_from(
    [
        {"type": "source", "url": "https://a.example"},
        {"type": "opaque", "provider_metadata": {"openai": {"block": {"type": "x"}}}},
        {"type": "opaque", **own(block={"type": "hologram"})},
    ]
)


@st.composite
def turns(draw: st.DrawFn) -> Groups:
    """Rows of a chat in the groups in which they arrive; a request may be made behind each group."""
    groups: Groups = []
    number = 0
    for _ in range(draw(st.integers(1, 6))):
        groups.append([("user", [{"type": "text", "text": "go"}, *draw(st.lists(text, max_size=2))])])
        for _ in range(draw(st.integers(0, 4))):
            calls = range(number, number + draw(st.integers(1, 3)))
            number = calls.stop
            searches = search(number) if draw(st.booleans()) else []
            said = [*draw(st.lists(thought, max_size=2)), *draw(st.lists(text | foreign, max_size=2))]
            answer = ("assistant", [*said, *searches, *(call(n) for n in calls)])
            groups.append([answer, *(("tool", [result(n)]) for n in calls)])
        thoughts = draw(st.lists(thought, max_size=1))
        groups.append([("assistant", [*thoughts, {"type": "text", "text": "Done."}])])
    return groups


def known(body: dict[str, Any]) -> list[Any]:
    """What the cache knows a request by, in its order, without the marks."""
    blocks: list[Any] = [_bare(block) for block in [*body.get("tools", []), *body.get("system", [])]]
    for message in body["messages"]:
        blocks += [(message["role"], _bare(block)) for block in message["content"]]
    return blocks


def _bare(block: Block) -> Block:
    return {key: value for key, value in block.items() if key != "cache_control"}


@settings(max_examples=200, deadline=None)
@given(turns(), st.randoms(use_true_random=False))
def test_each_request_extends_the_one_before(groups: Groups, chance: Any) -> None:
    facts = ModelFacts("claude-sonnet-4-6", provider_tools=[ProviderTool("web_search")])
    rows = [TranscriptMessage(0, "system", [{"type": "text", "text": "Be brief."}], None)]
    before: list[Any] = []
    for group in groups:
        rows += [TranscriptMessage(len(rows), role, parts, None) for role, parts in group]
        if group[-1][0] == "assistant":
            continue
        tools = chance.sample(TOOLS, len(TOOLS))
        body = wire_request(assemble(rows, facts, tools), Dialect("anthropic"), NOON).body
        assert broken_rules(body) == []
        assert known(body)[: len(before)] == before
        assert sum("cache_control" in block for block in body["messages"][-1]["content"]) == 1
        assert "cache_control" in body["system"][-1]
        before = known(body)
