"""Lists that people watch: the chats and the inbox of one owner.

`hub` turns hints from Redis into events, once for all watchers of an owner; `chats` and `api.inbox.frames`
say what an event holds.
"""
