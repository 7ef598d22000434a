"""A worker that is killed while it starts a command: before it asks, right after, or when it knows."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from workspace import protocol
from workspace.claims import Claim, Claims
from workspace.client import Workspace, key_of_start
from workspace.connection import connected
from workspace.layout import Layout
from workspace.sandbox.bubblewrap import Bubblewrap, Confinement, Limits


async def main(death: str, path: str, program: str, confinement: str, command: str) -> None:
    sandbox = Bubblewrap(Path(program), Limits(256 * 1024**2, 48), Confinement[confinement])
    layout = Layout(Path(path))
    if death == "after":
        await Workspace(layout, sandbox).start("1.1.a", command)
    else:
        async with connected(layout, sandbox) as connection:
            key = key_of_start("1.1.a", command)
            Claims(layout.claims).take(key.id, Claim(key.digest, connection.hello.instance))
            if death == "sent":
                await connection.send(protocol.Start(key, command))
            os.kill(os.getpid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
