"""What our own processes and the servers find in their environment."""

from pathlib import Path

from cli.stack.addresses import Addresses
from cli.stack.directory import DataDirectory
from cli.stack.ports import DEFAULTS
from cli.stack.programs import program_environment, server_environment, wants_demo_model


def test_servers_see_no_key_and_no_setting_of_ours() -> None:
    found = server_environment(
        {"PATH": "/bin", "ANTHROPIC_API_KEY": "secret", "TEMPORAL_ADDRESS": "elsewhere:7233"}
    )
    assert found == {"PATH": "/bin"}


def test_our_processes_are_not_sent_to_a_temporal_server_elsewhere() -> None:
    theirs = {"TEMPORAL_API_KEY": "cloud", "TEMPORAL_PROFILE": "prod", "TEMPORAL_ADDRESS": "cloud:7233"}
    found = program_environment(theirs, {"TEMPORAL_ADDRESS": "127.0.0.1:7233"})
    assert {name: value for name, value in found.items() if name.startswith("TEMPORAL_")} == {
        "TEMPORAL_CONFIG_FILE": "/dev/null",
        "TEMPORAL_ADDRESS": "127.0.0.1:7233",
    }


def test_our_processes_reach_the_stack_without_the_users_proxy() -> None:
    found = program_environment({"NO_PROXY": "internal.example"}, {})
    assert found["NO_PROXY"] == "internal.example,127.0.0.1"


def test_a_key_of_a_real_provider_takes_the_place_of_the_demo_model() -> None:
    assert not wants_demo_model({"ANTHROPIC_API_KEY": "key"})
    assert wants_demo_model({"ANTHROPIC_API_KEY": ""})
    assert not wants_demo_model({"OPENAI_API_KEY": "key"})


def test_every_setting_the_stack_gives_its_processes_is_one_they_read(tmp_path: Path) -> None:
    from runtime.settings import Settings

    given = Addresses(DataDirectory(tmp_path), "127.0.0.1", dict(DEFAULTS)).settings()
    temporal = {"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"}
    read = {
        str(field.validation_alias or f"PERDURE_{name.upper()}")
        for name, field in Settings.model_fields.items()
    }
    assert set(given) - temporal <= read
