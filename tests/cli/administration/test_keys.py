"""Master keys from the command line."""

from pydantic import SecretStr
from typer.testing import CliRunner

from cli.main import app
from runtime.secrets import MasterKeys


def test_each_key_is_a_new_one_that_seals_and_opens():
    first, second = (CliRunner().invoke(app, ["keys", "new"]).stdout.strip() for _ in range(2))
    assert first != second
    keys = MasterKeys(SecretStr(f"{first},{second}"))
    sealed = keys.seal(SecretStr("sk-1"), "provider 1")
    assert keys.open(sealed, "provider 1").get_secret_value() == "sk-1"
