"""Prompts that people write: what is kept of them, how long they may be, and which a new chat begins with."""

from pathlib import Path

from api.errors import invalid
from models.deployment import MAX_PROMPT_BYTES, SystemPrompt, sanitized
from runtime.configuration import Configuration

DEFAULT_SYSTEM_PROMPT = (Path(__file__).parent / "deployment" / "system_prompt.md").read_text().strip()


def checked_prompt(field: str, text: str) -> str:
    """A prompt without what nobody can see.

    Raises:
        ApiError: 400, it is too long.
    """
    clean = sanitized(text)
    if len(clean.encode()) > MAX_PROMPT_BYTES:
        raise invalid((field, f"Must not be longer than {MAX_PROMPT_BYTES} bytes."))
    return clean


async def deployment_prompts(configuration: Configuration) -> list[str]:
    """What every new chat is told first: the default text, what administrators wrote, or both."""
    setting = await configuration.setting(SystemPrompt)
    default = [DEFAULT_SYSTEM_PROMPT] if setting.includes_default else []
    return [*default, *([setting.system_prompt] if setting.system_prompt else [])]
