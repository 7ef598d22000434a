"""Adapter to the Anthropic Messages API, over the official SDK: request out, stream in. The platforms that
need packages of their own are in `bedrock` and `vertex`."""

from activities.providers.anthropic.client import AnthropicProvider

__all__ = ["AnthropicProvider"]
