"""One chat, in the hands of a program."""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from perdure.client.actions import Actions, Decision, decision_body
from perdure.client.connection import PREFIX, Connection
from perdure.client.events import ActionRequiredEvent, Event
from perdure.client.reading import Answered, Content, parts, path_of, read
from perdure.client.shapes import ChatInfo, Edited, Message, MessagePage, QueuedMessage, Sent
from perdure.client.sharing import Acl, read_acl, share
from perdure.client.streaming import follow
from perdure.client.turns import Answer, TurnWatch, at_rest

MAX_PAGE = 200


class Chat:
    """A chat by its id. Nothing is read before it is asked for.

    While its stream is read, by `stream`, `ask` or `wait`, the tools it was made or opened with are called
    whenever the model asks for them.

    Every method raises what `Connection.request` raises: `ApiError` and its kinds, `NoServer`.
    """

    def __init__(self, connection: Connection, chat_id: str, actions: Actions) -> None:
        self.id = chat_id
        self._connection = connection
        self._actions = actions
        self._path = path_of("chats", chat_id)

    def __repr__(self) -> str:
        return f"Chat({self.id!r})"

    async def info(self) -> ChatInfo:
        """The chat as it is now."""
        return await self._get("", ChatInfo)

    async def send(
        self,
        content: Content,
        *,
        busy_behavior: str = "queue",
        model_config_id: str | None = None,
        key: str | None = None,
        **more: object,
    ) -> Sent:
        """Say something. It enters the chat once, however often the request has to be repeated.

        Args:
            content: What to say.
            busy_behavior: What happens if a turn is running: `queue`, `interrupt` or `steer`.
            model_config_id: The model that answers, by default the one used last.
            key: Idempotency key, for a program that repeats it after its own restart.
            more: Further fields of the request.

        Raises:
            RateLimited: The queue is full.
        """
        body = {"content": parts(content), "busy_behavior": busy_behavior, **more}
        if model_config_id is not None:
            body["model_config_id"] = model_config_id
        return await self._send("POST", "/messages", Sent, body, key)

    async def ask(self, content: Content, **options: Any) -> Answer:
        """Say something and wait for the answer.

        Args:
            content: What to say.
            options: As for `send`.

        Raises:
            TurnFailed: The turn ended in an error.
            MessageWithdrawn: It was queued, and somebody has taken it out.
        """
        newest = (await self.page(limit=1)).messages
        sent = await self.send(content, **options)
        watch = TurnWatch(sent.message.id if sent.message else None, sent.queued_message)
        return await self._watched(watch, newest[0].id if newest else None)

    async def wait(self) -> Answer:
        """Wait until the chat rests; what it last answered. After `create`: the first answer.

        Raises:
            TurnFailed: It rests in an error.
        """
        asked = 0
        async with aclosing(self.messages()) as messages:
            async for message in messages:
                if message.role == "user":
                    asked = message.id
                    break
        return await self._watched(TurnWatch(asked, to_rest=True), asked or None)

    async def stream(self, *, after_id: int | None = None, until_rest: bool = False) -> AsyncGenerator[Event]:
        """What happens in the chat: first the present, then what follows, over lost connections, too.

        Args:
            after_id: Messages up to this one are known already.
            until_rest: End when the chat rests: the turn has ended, and those of queued messages.

        Yields:
            Each event once. `ConnectionLost` tells of a connection that broke; nothing is missed by it.

        Raises:
            ApiError: There is no such chat, or the token is not valid.
            NoServer: Nobody has answered for five minutes.
        """
        path = f"{PREFIX}{self._path}/stream"
        async with aclosing(follow(self._connection.http, path, after_id)) as events:
            async for event in events:
                if isinstance(event, ActionRequiredEvent):
                    self._actions.take(event.action_required.tool_calls)
                yield event
                if until_rest and at_rest(event):
                    return

    async def page(
        self, *, before_id: int | None = None, after_id: int | None = None, limit: int = 50
    ) -> MessagePage:
        """A page of history: newest first, or oldest first with `after_id` alone."""
        cursors = {"before_id": before_id, "after_id": after_id, "limit": limit}
        return await self._get("/messages", MessagePage, cursors)

    async def messages(self, *, after_id: int | None = None) -> AsyncGenerator[Message]:
        """All messages, newest first; with `after_id` those behind it, oldest first. Read as they are used,
        a page at a time."""
        before_id: int | None = None
        while True:
            page = await self.page(before_id=before_id, after_id=after_id, limit=MAX_PAGE)
            for message in page.messages:
                yield message
            if not page.has_more or not page.messages:
                return
            if after_id is None:
                before_id = page.messages[-1].id
            else:
                after_id = page.messages[-1].id

    async def history(self) -> list[Message]:
        """All messages, oldest first."""
        return [message async for message in self.messages()][::-1]

    async def edit_message(self, message_id: int, content: Content, **more: object) -> Edited:
        """Replace a message of the user. What followed it is dropped, and it is answered anew."""
        body = {"content": parts(content), **more}
        return await self._send("PATCH", f"/messages/{message_id}", Edited, body)

    async def queue(self) -> list[QueuedMessage]:
        """The messages that wait for the running turn to end."""
        return (await self.page(limit=1)).queued_messages

    async def delete_queued(self, queued_id: int) -> None:
        """Take a message out of the queue."""
        await self._connection.request("DELETE", f"{self._path}/queue/{queued_id}")

    async def promote(self, queued_id: int) -> None:
        """Have a queued message answered next; a running turn is stopped for it."""
        await self._connection.request("POST", f"{self._path}/queue/{queued_id}/promote")

    async def interrupt(self) -> ChatInfo:
        """Stop the running turn. What the model has said so far is kept.

        Raises:
            Conflict: No turn is running.
        """
        return await self._send("POST", "/interrupt", ChatInfo)

    async def compact(self) -> ChatInfo:
        """Have the conversation summarized. The chat runs until that is done; nothing is lost to readers.

        Raises:
            Conflict: A turn is running, or there is nothing to compact.
        """
        return await self._send("POST", "/compact", ChatInfo)

    async def clear(self) -> ChatInfo:
        """Let the model forget the conversation so far; it stays to be read.

        Raises:
            Conflict: A turn is running, or there is nothing to clear.
        """
        return await self._send("POST", "/clear", ChatInfo)

    async def approve(self, *tool_call_ids: str) -> None:
        """Let calls run that wait for approval.

        Raises:
            Conflict: Nothing waits, or somebody else has decided.
            BadRequest: One of these calls does not wait.
        """
        await self._decide(tool_call_ids, Decision(approved=True))

    async def deny(self, *tool_call_ids: str, reason: str | None = None) -> None:
        """Deny calls that wait for approval; the model is told the reason. Raises as `approve` does."""
        await self._decide(tool_call_ids, Decision(approved=False, reason=reason))

    async def submit_results(self, results: Sequence[Mapping[str, Any]], *, key: str | None = None) -> None:
        """Give results of the client's tools by hand: `tool_call_id`, `output` and `is_error` for all calls
        that wait. Registered tools do this by themselves.

        Raises:
            Conflict: Nothing waits, or somebody else has answered.
            BadRequest: These are not the calls that wait.
        """
        body = {"results": list(results)}
        await self._connection.request("POST", f"{self._path}/tool-results", json=body, key=key)

    async def patch(self, **changes: object) -> None:
        """Change `title`, `labels`, `archived` or `pin_order`."""
        await self._connection.request("PATCH", self._path, json=changes)

    async def acl(self) -> Acl:
        """Whom the chat is shared with."""
        return await read_acl(self._connection, self._path)

    async def share(self, *, users: Iterable[str] = (), groups: Iterable[str] = ()) -> None:
        """Let users and groups of the organization read this root chat, and the chats below it."""
        await share(self._connection, self._path, users, groups, readable=True)

    async def unshare(self, *, users: Iterable[str] = (), groups: Iterable[str] = ()) -> None:
        """Let them read it no more."""
        await share(self._connection, self._path, users, groups, readable=False)

    async def _watched(self, watch: TurnWatch, after_id: int | None) -> Answer:
        while True:
            async with aclosing(self.stream(after_id=after_id)) as events:
                async for event in events:
                    if (answer := watch.take(event)) is not None:
                        return answer

    async def _decide(self, tool_call_ids: Sequence[str], decision: Decision) -> None:
        body = {"approvals": [decision_body(call_id, decision) for call_id in tool_call_ids]}
        await self._connection.request("POST", f"{self._path}/approvals", json=body)

    async def _get(
        self, path: str, kind: type[Answered], params: Mapping[str, Any] | None = None
    ) -> Answered:
        return read(kind, await self._connection.request("GET", f"{self._path}{path}", params=params))

    async def _send(
        self, method: str, path: str, kind: type[Answered], body: object = None, key: str | None = None
    ) -> Answered:
        return read(kind, await self._connection.request(method, f"{self._path}{path}", json=body, key=key))
