"""`python -m activities.providers.demo --port 8088`: the demo model as a process of its own."""

import argparse

from activities.providers.demo.server import DEFAULT_PORT, LOOPBACK, serve

parser = argparse.ArgumentParser(description="The demo model: a scripted server of the Anthropic protocol.")
parser.add_argument("--host", default=LOOPBACK)
parser.add_argument("--port", type=int, default=DEFAULT_PORT)
options = parser.parse_args()
serve(options.host, options.port)
