"""Live views of chats: rows from Postgres, then entries from Redis, fanned out to any number of readers.

`tail` reads Redis for the whole process, `feed` turns entries and rows of one chat into events, `hub` owns
both, `subscription` is one reader's end, `websocket` and `sse` are its two forms on the wire.
"""
