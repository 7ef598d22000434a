"""Starting and answering need no network: the whole demonstration in a network namespace of its own."""

import asyncio
import sys

# brings the namespace's loopback up, the only interface there is, and becomes the command
_ALONE = """
import fcntl, os, socket, struct, sys
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as lo:
    fcntl.ioctl(lo, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
os.execv(sys.executable, [sys.executable, "-P", "-m", "cli.main", "demo"])
"""


async def test_the_demonstration_runs_without_any_network():
    process = await asyncio.create_subprocess_exec(
        "unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", _ALONE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
