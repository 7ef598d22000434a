"""Temporal's development server, with its UI, as a part."""

from collections.abc import Mapping

from cli.stack.directory import DataDirectory
from cli.stack.part import Command, Part
from cli.stack.ports import LOOPBACK
from cli.stack.probes import answers_http
from cli.stack.wheels import temporal_program

NAMESPACE = "default"
SEARCH_ATTRIBUTES: Mapping[str, str] = {
    "PerdureOwner": "Keyword",
    "PerdureOrganization": "Keyword",
    "PerdureStatus": "Keyword",
    "PerdureModel": "Keyword",
    "PerdureRootChat": "Keyword",
}
DYNAMIC_CONFIG: Mapping[str, str] = {
    # This server has one history shard, and these limits are per shard: at their default of 20 a chat that
    # works alone gets ten turns a second.
    "history.transferProcessorMaxPollRPS": "1000",
    "history.timerProcessorMaxPollRPS": "1000",
    "history.outboundProcessorMaxPollRPS": "1000",
    # timers fire up to this late, 1 s by default: it delays retries and the recovery of a lost worker
    "history.timerProcessorMaxTimeShift": '"50ms"',
    # cancellation is pushed to workers, instead of waiting for their next heartbeat
    "frontend.workerCommandsEnabled": "true",
    "system.enableCancelActivityWorkerCommand": "true",
    # at the default of 10, twenty commands to one chat at once take a second
    "history.maxInFlightUpdates": "200",
    # turns are taken fairly between owners; exact with one partition only
    "matching.enableFairness": "true",
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
}
# write-ahead log with the sync that goes with it: twice the turns, and the file survives a kill
_SQLITE = ("journal_mode=wal", "synchronous=normal")


def temporal(directory: DataDirectory, ports: Mapping[str, int], environment: Mapping[str, str]) -> Part:
    """The Temporal server. Uses the ports `temporal`, `temporal-http` and `temporal-ui`."""
    argv = (
        *(str(temporal_program()), "server", "start-dev", "--ip", LOOPBACK),
        *("--port", str(ports["temporal"]), "--ui-port", str(ports["temporal-ui"])),
        *("--http-port", str(ports["temporal-http"])),
        *("--db-filename", str(directory.path / "temporal.db")),
        *(word for pragma in _SQLITE for word in ("--sqlite-pragma", pragma)),
        *(word for item in DYNAMIC_CONFIG.items() for word in ("--dynamic-config-value", "=".join(item))),
        *(word for item in SEARCH_ATTRIBUTES.items() for word in ("--search-attribute", "=".join(item))),
        *("--ui-disable-news-fetch", "--log-level", "warn"),
    )
    return Part(
        name="temporal",
        command=Command(argv=argv, environment=environment),
        # Asked of the server's own HTTP port: the UI, asked too early, fails for a second. The last attribute
        # tells that the namespace is complete.
        ready=answers_http(
            ports["temporal-http"],
            f"/api/v1/namespaces/{NAMESPACE}",
            containing=list(SEARCH_ATTRIBUTES)[-1].encode(),
        ),
        ready_seconds=60.0,
    )
