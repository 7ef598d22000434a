"""OpenAI's two interfaces, and by the second one every server that is compatible with it."""

from activities.providers.openai.client import OpenAIProvider, openai_chat, openai_responses
from activities.providers.openai.profiles import PROFILES, Profile

__all__ = ["PROFILES", "OpenAIProvider", "Profile", "openai_chat", "openai_responses"]
