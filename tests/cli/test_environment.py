import pytest

from cli.environment import read_settings
from cli.errors import CommandError


def test_every_setting_that_cannot_be_used_is_named_and_no_value_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://somebody:secret@host/perdure")
    monkeypatch.setenv("PERDURE_API_PORT", "secret")
    monkeypatch.setenv("PERDURE_DATABASE_POOL_SIZE", "0")
    with pytest.raises(CommandError) as refused:
        read_settings()
    said = str(refused.value)
    assert "\n  PERDURE_API_PORT: " in said
    assert "\n  PERDURE_DATABASE_POOL_SIZE: Input should be greater than or equal to 1" in said
    assert "secret" not in said


def test_settings_that_do_not_fit_together_are_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://somebody:secret@host/perdure")
    monkeypatch.setenv("PERDURE_SWEEP_AGE_SECONDS", "5")
    with pytest.raises(CommandError) as refused:
        read_settings(command_timeout_seconds=5)
    assert "PERDURE_SWEEP_AGE_SECONDS must be more than PERDURE_COMMAND_TIMEOUT_SECONDS" in str(refused.value)
    assert "secret" not in str(refused.value)
