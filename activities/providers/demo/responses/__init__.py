"""The dialect of the OpenAI Responses API: items in, events with numbers out, answers kept under their id."""

from activities.providers.demo.responses.dialect import ResponsesDialect

__all__ = ["ResponsesDialect"]
