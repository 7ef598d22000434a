"""Settings of the whole deployment that administrators make while it runs (spec api.md section 10). Pure."""

import unicodedata
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MAX_PROMPT_BYTES = 131_072

_KEPT_CONTROLS = "\n\t"


class SettingName(StrEnum):
    SYSTEM_PROMPT = "system_prompt"
    PERSONAL_MODEL_OVERRIDES = "personal_model_overrides"
    RETENTION_DAYS = "retention_days"
    AUTO_ARCHIVE_DAYS = "auto_archive_days"


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


Days = Annotated[int, Field(ge=0, le=3650)]


class RetentionDays(Setting):
    """So many days after somebody has touched it last, an archived chat is deleted; 0: never."""

    retention_days: Days = 30


class AutoArchiveDays(Setting):
    """So many days after something has happened in it last, a chat is archived; 0: never."""

    auto_archive_days: Days = 0


SETTINGS: dict[SettingName, type[Setting]] = {
    SettingName.SYSTEM_PROMPT: SystemPrompt,
    SettingName.PERSONAL_MODEL_OVERRIDES: PersonalModelOverrides,
    SettingName.RETENTION_DAYS: RetentionDays,
    SettingName.AUTO_ARCHIVE_DAYS: AutoArchiveDays,
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
