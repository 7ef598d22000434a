"""Settings of the whole deployment that administrators make while it runs (spec api.md section 10). Pure."""

import unicodedata
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

MAX_PROMPT_BYTES = 131_072

_KEPT_CONTROLS = "\n\t"


class SettingName(StrEnum):
    SYSTEM_PROMPT = "system_prompt"
    PERSONAL_MODEL_OVERRIDES = "personal_model_overrides"


class Setting(BaseModel):
    """A setting's value; without one stored, its defaults hold."""

    model_config = ConfigDict(frozen=True)


class SystemPrompt(Setting):
    """`include_default_system_prompt` None: nobody has said, so the default prompt is used unless there is
    another one."""

    system_prompt: str = ""
    include_default_system_prompt: bool | None = None

    @property
    def includes_default(self) -> bool:
        chosen = self.include_default_system_prompt
        return not self.system_prompt if chosen is None else chosen


class PersonalModelOverrides(Setting):
    """Whether members may choose models for their own chats."""

    allow_users: bool = False


SETTINGS: dict[SettingName, type[Setting]] = {
    SettingName.SYSTEM_PROMPT: SystemPrompt,
    SettingName.PERSONAL_MODEL_OVERRIDES: PersonalModelOverrides,
}


_NAMES = {kind: name for name, kind in SETTINGS.items()}


def name_of(kind: type[Setting]) -> SettingName:
    """Under which name a setting is stored."""
    return _NAMES[kind]


def sanitized(text: str) -> str:
    """A prompt without characters that nobody sees, and without blanks around it: what a model is told must
    be what an administrator read."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in lines if c in _KEPT_CONTROLS or not _is_invisible(c)).strip()


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn")
