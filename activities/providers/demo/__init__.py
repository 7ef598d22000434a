"""The demo model: a server that speaks the Anthropic Messages protocol and is scripted by the conversation.

It answers where no provider key is set, and it is the far end of the wire in tests and benchmarks. It stands
alone: nothing of the product is imported here, so that it checks our requests with independent eyes.
"""

from activities.providers.demo.app import create_app
from activities.providers.demo.faults import Fault
from activities.providers.demo.recorder import RecordedRequest
from activities.providers.demo.script import Step, script_block
from activities.providers.demo.server import DemoModel, serve

__all__ = ["DemoModel", "Fault", "RecordedRequest", "Step", "create_app", "script_block", "serve"]
