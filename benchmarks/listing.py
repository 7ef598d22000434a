"""What a page of the chat list costs: 50 chats out of many, next to a plain `SELECT … LIMIT 50` of them.

    python -m benchmarks.listing
    python -m benchmarks.listing --chats 10000 --messages 20 --rounds 50

Printed, for each kind of list: statements, median milliseconds, the ratio to the plain query, and which
indexes serve it; then what the index of words adds to storing a message. Ends with an error when an
index does not serve that should.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from json import dumps
from pathlib import Path
from random import randrange
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from cli.stack import Stack, StackOptions
from models.migrate import upgrade
from models.permissions import SiteRole
from models.providers import Preset
from models.store.accounts import Caller
from models.store.configuration import read_default_model
from models.store.listing import ChatFilter, list_chats
from models.store.presets import OfferedModel, ensure_models
from runtime.database import open_engine

_PLAIN = "SELECT id, title, status, updated_at FROM chats WHERE owner_id = %(owner)s LIMIT 50"

_OWNERS = """
WITH organization AS (INSERT INTO organizations (id, name) VALUES (%(organization)s, 'bench') RETURNING id),
     members AS (INSERT INTO users (id, username)
                 SELECT owner, owner::text FROM unnest(CAST(%(owners)s AS uuid[])) AS owner RETURNING id)
INSERT INTO memberships (user_id, organization_id, role)
SELECT members.id, organization.id, 'member' FROM organization, members
"""

_CHATS = """
INSERT INTO chats (id, organization_id, owner_id, status, title, labels, last_model_config_id, updated_at,
                   pin_order, last_read_message_id)
SELECT gen_random_uuid(), %(organization)s, %(owner)s, 'waiting', 'chat number ' || n,
       jsonb_build_object('team', 'team' || n %% 10), %(model)s, now() - n * interval '1 minute',
       CASE WHEN n %% 2000 = 0 THEN n / 2000 ELSE 0 END, CASE WHEN n %% 3 = 0 THEN 0 ELSE 9e15 END
  FROM generate_series(1, %(chats)s::int) AS n
"""

_CHILDREN = """
INSERT INTO chats (id, organization_id, owner_id, status, title, last_model_config_id,
                   parent_chat_id, root_chat_id)
SELECT gen_random_uuid(), organization_id, owner_id, 'waiting', 'child', last_model_config_id, id, id
  FROM (SELECT * FROM chats WHERE owner_id = %(owner)s ORDER BY updated_at LIMIT %(chats)s::int / 5) AS roots
"""

_MESSAGE = """
INSERT INTO messages (chat_id, role, content, content_version) VALUES (%(chat)s, 'user', %(content)s, 1)
"""

_MESSAGES = """
INSERT INTO messages (chat_id, role, content, content_version, step)
SELECT chats.id, CASE n %% 2 WHEN 0 THEN 'assistant' ELSE 'user' END,
       json_build_array(json_build_object('type', 'text', 'text', (
           SELECT string_agg('word' || floor(random() ^ 3 * 20000), ' ') || CASE WHEN random() < 0.0005
                  THEN ' needle' ELSE '' END
             FROM generate_series(1, 20 + n - n) AS length))), 1, n
  FROM chats, generate_series(1, %(messages)s::int) AS n
 WHERE chats.owner_id = %(owner)s
"""


async def drop_index_of_words(conn: AsyncConnection) -> str:
    """Drop the index of words; the statement that makes it again."""
    found = await conn.exec_driver_sql(
        "SELECT indexdef FROM pg_indexes WHERE indexname = 'messages_by_words'"
    )
    definition: str = found.scalar_one()
    await conn.exec_driver_sql("DROP INDEX messages_by_words")
    return definition


async def fill(engine: AsyncEngine, chats: int, messages: int) -> Caller:
    """As many chats of one owner, and as many again of another one, whose chats must not cost anything."""
    organization, owners = uuid4(), [uuid4(), uuid4()]
    async with engine.connect() as conn:
        definition = await drop_index_of_words(conn)  # made at the end it takes a fraction of the time
        await conn.exec_driver_sql(_OWNERS, {"organization": organization, "owners": owners})
        await ensure_models(engine, organization, [OfferedModel(Preset.DEMO, "demo", "Demo", 1000)])
        model = await read_default_model(engine, organization)
        assert model is not None
        for owner in owners:
            size: dict[str, Any] = {"owner": owner, "organization": organization, "model": model.id}
            size |= {"chats": chats, "messages": messages}
            await conn.exec_driver_sql(_CHATS, size)
            await conn.exec_driver_sql(_CHILDREN, size)
            began = time.perf_counter()
            await conn.exec_driver_sql(_MESSAGES, size)
            print(f"filled {chats} chats x {messages} messages in {time.perf_counter() - began:.1f} s")
        await conn.exec_driver_sql(definition)
        await conn.exec_driver_sql("VACUUM ANALYZE")
    return Caller(owners[0], "bench", "", SiteRole.NONE, (), uuid4(), frozenset())


async def median_ms(rounds: int, ask: Callable[[], Awaitable[object]]) -> float:
    seconds: list[float] = []
    for _ in range(rounds + 6):  # the driver prepares a statement when it comes the sixth time
        began = time.perf_counter()
        await ask()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[6:]) * 1000


class Plans:
    """Keeps the statements that run, and asks how they are carried out."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.statements: list[tuple[str, Any]] = []
        self._engine = engine

    async def of(self, ask: Callable[[], Awaitable[object]]) -> str:
        """The plans of all statements that one call makes."""
        self.statements.clear()
        event.listen(self._engine.sync_engine, "before_cursor_execute", self._note)
        try:
            await ask()
        finally:
            event.remove(self._engine.sync_engine, "before_cursor_execute", self._note)
        plans: list[str] = []
        async with self._engine.connect() as conn:
            for statement, parameters in self.statements:
                result = await conn.exec_driver_sql(f"EXPLAIN (ANALYZE) {statement}", parameters)
                plans += result.scalars()
        return "\n".join(plans)

    def _note(self, _conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        self.statements.append((statement, parameters))


async def index_of_words_ms(engine: AsyncEngine, chat: UUID, rounds: int, words: int) -> tuple[float, float]:
    """Median milliseconds to store a message of so many words, with the index and without it."""
    async with engine.connect() as conn:

        async def store() -> None:
            said = " ".join(f"word{randrange(20_000)}" for _ in range(words))
            row = {"chat": chat, "content": dumps([{"type": "text", "text": said}])}
            await conn.exec_driver_sql(_MESSAGE, row)

        indexed = await median_ms(rounds, store)
        definition = await drop_index_of_words(conn)
        bare = await median_ms(rounds, store)
        await conn.exec_driver_sql(definition)
    return indexed, bare


_INDEXES = ("chats_listed", "chats_by_root", "messages_by_chat", "messages_by_words")


async def measure(engine: AsyncEngine, caller: Caller, rounds: int, *, show_plans: bool) -> bool:
    """Measure every kind of list; whether all plans are as they should be."""

    async def plain() -> None:
        async with engine.connect() as conn:
            (await conn.exec_driver_sql(_PLAIN, {"owner": caller.user_id})).all()

    def page(after_id: UUID | None = None, offset: int = 0, **wanted: Any) -> Callable[[], Awaitable[Any]]:
        return lambda: list_chats(
            engine, caller, ChatFilter(**wanted), after_id=after_id, limit=50, offset=offset
        )

    first = await page()()
    lists = {
        "first page": page(),
        "second page, after_id": page(after_id=first[-1].chat.id),
        "page 100, offset": page(offset=4950),
        "has_unread:true": page(has_unread=True),
        "label of one in ten": page(labels=[("team", "team3")]),
        "title, no match": page(title="nothing of this name"),
        "search, rare word": page(words="needle"),
        "search, frequent word": page(words="word1"),
    }
    plans, good = Plans(engine), True
    for name, ask in lists.items():
        baseline = await median_ms(rounds, plain)  # each time: other work on the machine slows both
        spent = await median_ms(rounds, ask)
        plan = await plans.of(ask)
        used = [index for index in _INDEXES if index in plan]
        print(
            f"{name:26} {spent:8.2f} ms   x{spent / baseline:6.1f} of {baseline:.2f} ms   "
            f"{len(plans.statements)} statements   "
            f"{', '.join(used)}"
        )
        if show_plans:
            print(plan)
        if "Seq Scan on messages" in plan or not used:
            print("  no index serves it")
            good = False
    for words in (50, 1000):
        indexed, bare = await index_of_words_ms(engine, first[0].chat.id, rounds, words)
        print(f"a message of {words:4} words stored   {indexed:6.2f} ms, without the index {bare:6.2f} ms")
    return good


async def main(chats: int, messages: int, rounds: int, *, show_plans: bool) -> int:
    with tempfile.TemporaryDirectory() as directory:
        options = StackOptions(data_dir=Path(directory) / "bench", ports={"postgres": 0}, parts=("postgres",))
        async with Stack(options) as stack:
            upgrade(stack.database_url)
            engine = open_engine(stack.database_url, pool_size=2)
            try:
                caller = await fill(engine, chats, messages)
                return 0 if await measure(engine, caller, rounds, show_plans=show_plans) else 1
            finally:
                await engine.dispose()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What a page of the chat list costs.")
    parser.add_argument("--chats", type=int, default=10_000, help="root chats of the owner (10000)")
    parser.add_argument("--messages", type=int, default=20, help="messages per chat (20)")
    parser.add_argument("--rounds", type=int, default=50, help="calls of each kind (50)")
    parser.add_argument("--plans", action="store_true", help="print the plans, too")
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.chats, given.messages, given.rounds, show_plans=given.plans)))
