"""The queue of a chat: messages that wait for the running turn."""
