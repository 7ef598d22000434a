"""OpenAI's two interfaces, and by the second one every server that is compatible with it."""

from activities.providers.openai.client import OpenAIProvider, Server, openai_chat, openai_responses
from activities.providers.openai.profiles import PROFILES, Profile, profile_for

__all__ = [
    "PROFILES",
    "OpenAIProvider",
    "Profile",
    "Server",
    "openai_chat",
    "openai_responses",
    "profile_for",
]
