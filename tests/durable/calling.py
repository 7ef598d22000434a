"""Clients that leave nothing behind."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from activities.providers.demo import DemoModel
from cli.stack import Stack
from tests.durable.caller import Caller
from tests.durable.rows import Rows

_ALL_REST = (
    "SELECT 1 WHERE NOT EXISTS"
    " (SELECT FROM chats WHERE status IN ('running', 'interrupting') AND created_at >= :since)"
)


@asynccontextmanager
async def calling(stack: Stack, url: str, rows: Rows, model: DemoModel) -> AsyncGenerator[Caller]:
    """A client of the API at this address. What a test has started is over when it ends: a turn that went on
    would be counted by the next test, or meet the fault that one has ordered."""
    token = stack.token
    assert token is not None
    (begun,) = await rows.ask("SELECT now() AS at")
    async with Caller(url, token, rows) as caller:
        yield caller
        try:
            await rows.until(_ALL_REST, since=begun.at)
        finally:
            model.clear()
