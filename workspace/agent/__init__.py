"""The program in the sandbox: one per chat, started on demand, gone when idle.

It runs commands and keeps their output, so that they outlive the worker that asked for them. It needs the
standard library and `workspace.protocol` only, because it is brought into the sandbox by itself.
"""
