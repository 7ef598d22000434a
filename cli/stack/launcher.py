"""A stack in a terminal: `perdure up`."""

import asyncio
import contextlib
import shlex
import signal
import sys
from collections.abc import Callable

from cli.stack.directory import default_directory
from cli.stack.errors import StackError
from cli.stack.options import StackOptions
from cli.stack.ports import LOOPBACK
from cli.stack.stack import Stack

OnReady = Callable[[Stack], None]


def up(options: StackOptions, on_ready: OnReady | None = None) -> int:
    """Start a stack and keep it up until Ctrl-C, SIGTERM, or a part that cannot be kept running.

    Args:
        options: What to start.
        on_ready: Called once, when everything can be used.

    Returns:
        Exit code: 0 when it was asked to stop, 1 when it could not start or go on.
    """
    return asyncio.run(_up(options, on_ready or _print_ready))


async def _up(options: StackOptions, on_ready: OnReady) -> int:
    stack = Stack(options, report=_print_event)
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if asked_to_stop.is_set():
            _say("stopping at once")
            stack.hurry()
        else:
            _say("stopping (once more to hurry)")
            asked_to_stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    running = asyncio.create_task(_run(stack, on_ready))
    stopping = asyncio.create_task(asked_to_stop.wait())
    await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    running.cancel()
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await running
    except StackError as error:
        print(f"perdure: {error}", file=sys.stderr, flush=True)
        return 1
    _say("stopped")
    return 0


async def _run(stack: Stack, on_ready: OnReady) -> None:
    _say(f"starting on {stack.directory.path}")
    async with stack:
        on_ready(stack)
        await stack.wait()


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads any more; go on
        print(f"perdure: {text}", flush=True)


def _print_event(part: str, event: str) -> None:
    _say(f"{part} {event}")


def _print_ready(stack: Stack) -> None:
    rows = {
        "API": stack.api_url,
        "Docs": stack.addresses.docs_url,
        "Temporal UI": stack.addresses.temporal_ui_url,
        "Token": stack.token or "(none)",
        "Data": str(stack.directory.path),
    }
    if stack.demo_model:
        rows["Model"] = "built-in demo model; with ANTHROPIC_API_KEY or OPENAI_API_KEY set, a real one"
    width = max(map(len, rows))
    # the command line looks in the default directory by itself
    found = stack.directory.path == default_directory().absolute()
    place = "" if found else f"PERDURE_DATA_DIR={shlex.quote(str(stack.directory.path))} "
    lines = [f"\nPerdure is ready, after {stack.seconds:.1f} s.\n"]
    lines += [f"  {name:<{width}}  {value}" for name, value in rows.items()]
    lines += [
        "",
        "Say something:",
        f'  {place}perdure chat "What time is it?"',
        "",
        "Ctrl-C stops everything.",
    ]
    if stack.options.host not in (LOOPBACK, "localhost", "::1"):
        lines.append("The API can be reached from other machines: whoever has the token can use it.")
    with contextlib.suppress(OSError):
        print("\n".join(lines), flush=True)
