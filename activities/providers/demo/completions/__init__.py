"""The dialect of the Chat Completions API, as OpenAI and the servers that are compatible with it speak it."""

from activities.providers.demo.completions.dialect import CompletionsDialect
from activities.providers.demo.completions.servers import SERVERS

__all__ = ["SERVERS", "CompletionsDialect"]
