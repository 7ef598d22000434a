"""Adapter to the Anthropic Messages API, over the official SDK: request out, stream in."""

from activities.providers.anthropic.client import AnthropicProvider

__all__ = ["AnthropicProvider"]
