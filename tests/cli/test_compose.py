"""The distributed set-up names only things that exist. Docker itself is not needed to know that."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from temporalio.envconfig import ClientConfig

from cli.stack.temporal import DYNAMIC_CONFIG, SEARCH_ATTRIBUTES
from cli.stack.wheels import temporal_program

ROOT = Path(__file__).parent.parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PRODUCTION: dict[str, Any] = yaml.safe_load((ROOT / "temporal-config" / "dynamic-config.yaml").read_text())
OURS = ("migrate", "worker", "api")


def text(value: object) -> str:
    return value if isinstance(value, str) else repr(value)


def known_to_settings() -> set[str]:
    from runtime.settings import Settings

    prefix = str(Settings.model_config.get("env_prefix", ""))
    names: set[str] = set()
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        choices = alias if alias is None or isinstance(alias, str) else getattr(alias, "choices", [])
        named = [choices] if isinstance(choices, str) else [c for c in choices or () if isinstance(c, str)]
        names |= {n.upper() for n in named} or {f"{prefix}{name}".upper()}
    return names


def known_to_temporal_client(name: str) -> bool:
    value = "true" if name == "TEMPORAL_TLS" else "probe"
    without = ClientConfig.load_client_connect_config(disable_file=True, override_env_vars={})
    with_it = ClientConfig.load_client_connect_config(disable_file=True, override_env_vars={name: value})
    return with_it != without


@pytest.mark.parametrize("service", OURS)
def test_every_variable_of_our_services_is_read_by_something(service: str) -> None:
    known = known_to_settings()
    unknown = [
        name
        for name in SERVICES[service]["environment"]
        if name not in known and not (name.startswith("TEMPORAL_") and known_to_temporal_client(name))
    ]
    assert unknown == []


@pytest.mark.parametrize("service", OURS)
def test_our_services_run_commands_that_exist(service: str) -> None:
    from cli.main import app

    commands = {c.name or (c.callback and c.callback.__name__) for c in app.registered_commands}
    assert set(SERVICES[service]["command"]) <= commands


def test_the_dynamic_configuration_names_keys_the_server_has() -> None:
    missing = {key.lower().encode() for key in (*PRODUCTION, *DYNAMIC_CONFIG)}
    with temporal_program().open("rb") as program:
        end = b""
        while missing and (block := program.read(8 * 1024 * 1024)):
            seen = end + block.lower()
            missing -= {key for key in missing if key in seen}
            end = seen[-100:]  # a key may lie across two blocks
    assert missing == set()


def test_production_and_one_machine_agree_on_the_keys_both_set() -> None:
    one_machine = {key: yaml.safe_load(value) for key, value in DYNAMIC_CONFIG.items()}
    production = {key: entries[0]["value"] for key, entries in PRODUCTION.items()}
    assert production.items() <= one_machine.items()


@pytest.mark.parametrize("service", SERVICES)
def test_every_dependency_is_a_service_that_can_meet_its_condition(service: str) -> None:
    for name, dependency in SERVICES[service].get("depends_on", {}).items():
        if dependency["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[name]
        else:
            assert SERVICES[name]["restart"].startswith("on-failure"), f"{name} would never complete"


@pytest.mark.parametrize("service", SERVICES)
def test_every_mounted_file_and_volume_exists(service: str) -> None:
    for volume in SERVICES[service].get("volumes", []):
        source, target, *_ = volume.split(":")
        if not source.startswith("."):
            assert source in COMPOSE["volumes"]
            continue
        assert (ROOT / source).exists()
        named = [text(value) for value in SERVICES[service].get("environment", {}).values()]
        for path in (*SERVICES[service].get("entrypoint", []), *named):
            if path.startswith(f"{target}/"):
                assert (ROOT / source / path.removeprefix(f"{target}/")).is_file()


@pytest.mark.parametrize("service", SERVICES)
def test_ports_are_published_on_loopback_only(service: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[service].get("ports", []))


def test_no_password_is_written_down_and_every_needed_one_is_in_the_example() -> None:
    source = (ROOT / "docker-compose.yml").read_text()
    example = (ROOT / ".env.example").read_text()
    needed = set(re.findall(r"\$\{(\w+):\?", source))
    optional = set(re.findall(r"\$\{(\w+):-", source))
    assert all(f"\n{name}=\n" in example for name in needed), "an example password would be used as one"
    assert all(f"\n{name}=" in example for name in optional)
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|PWD|AUTH|KEY", name):
                assert text(value).startswith("${")


def test_images_are_pinned_and_temporal_is_the_one_we_test_with() -> None:
    images = {service["image"] for service in SERVICES.values() if "build" not in service}
    assert all(re.search(r":\d", image) for image in images)
    version = subprocess.run(
        (temporal_program(), "--version"), capture_output=True, text=True, check=True
    ).stdout
    server, ui = re.findall(r"(?:Server|UI) ([\d.]+)", version)
    assert {
        f"temporalio/server:{server}",
        f"temporalio/admin-tools:{server}",
        f"temporalio/ui:{ui}",
    } <= images


def test_the_image_holds_every_room_that_is_installed() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    rooms = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert rooms | {"requirements.lock"} <= let_in


@pytest.mark.parametrize(
    "script", sorted((ROOT / "temporal-config").glob("*.sh")), ids=lambda path: path.name
)
def test_the_scripts_are_valid_and_executable(script: Path) -> None:
    assert os.access(script, os.X_OK)
    subprocess.run(("sh", "-n", script), check=True)


def test_the_namespace_script_registers_the_search_attributes_of_the_one_machine_stack() -> None:
    script = (ROOT / "temporal-config" / "namespace.sh").read_text()
    assert dict(re.findall(r"--name (\w+) --type (\w+)", script)) == SEARCH_ATTRIBUTES
