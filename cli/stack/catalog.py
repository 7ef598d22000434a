"""The parts a stack can have, by name."""

from collections.abc import Mapping

from cli.stack import programs
from cli.stack.addresses import Addresses
from cli.stack.options import StackOptions
from cli.stack.part import Part
from cli.stack.postgres import postgres
from cli.stack.temporal import temporal
from cli.stack.valkey import valkey

PORTS: Mapping[str, tuple[str, ...]] = {
    "postgres": ("postgres",),
    "valkey": ("valkey",),
    "temporal": ("temporal", "temporal-http", "temporal-ui"),
    "demo-model": ("demo-model",),
    "migrate": (),
    "worker": ("worker-metrics",),
    "api": ("api",),
}


def build(name: str, addresses: Addresses, options: StackOptions) -> Part:
    """The declaration of the part `name`. All ports must have been chosen."""
    ports = {port: addresses.ports[port] for port in PORTS[name]}
    servers = programs.server_environment(options.environment)
    ours = programs.program_environment(options.environment, addresses.settings())
    match name:
        case "postgres":
            return postgres(addresses.directory, ports["postgres"], servers)
        case "valkey":
            return valkey(addresses.directory, ports["valkey"], servers)
        case "temporal":
            return temporal(addresses.directory, ports, servers)
        case "demo-model":
            return programs.demo_model(ours, ports["demo-model"])
        case "migrate":
            return programs.migrate(ours)
        case "worker":
            return programs.worker(ours, ports["worker-metrics"])
        case "api":
            return programs.api(ours, options.host, ports["api"])
        case _:
            raise ValueError(f"no such part: {name}")
