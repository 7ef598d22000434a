"""Connections to Temporal, set up alike in every process.

Where it is comes from Temporal's own environment variables and configuration file, see
docs.temporal.io/references/client-environment-configuration.
"""

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig

_DEFAULT_ADDRESS = "127.0.0.1:7233"


async def connect_temporal(*, lazy: bool = False) -> Client:
    """Connect to the Temporal server that the environment names.

    Args:
        lazy: Connect at the first call, and again at the next if that fails. For processes that have
            something to do while Temporal is away; a worker needs a connection.

    Raises:
        RuntimeError: the server cannot be reached, and `lazy` is off.
    """
    config = ClientConfig.load_client_connect_config()
    config.setdefault("target_host", _DEFAULT_ADDRESS)
    return await Client.connect(**config, lazy=lazy, data_converter=pydantic_data_converter)
