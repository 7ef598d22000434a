"""The chat: a pure state machine, and the workflow that feeds it commands and performs its effects."""
