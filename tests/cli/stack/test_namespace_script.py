"""The set-up script of the distributed stack, run against a real Temporal server."""

import asyncio
from pathlib import Path

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from cli.stack import Stack
from cli.stack.temporal import SEARCH_ATTRIBUTES
from cli.stack.wheels import temporal_program

SCRIPT = Path(__file__).parent.parent.parent.parent / "temporal-config" / "namespace.sh"


async def test_the_namespace_is_made_and_making_it_again_changes_nothing(shared_stack: Stack) -> None:
    environment = {
        "PATH": f"{temporal_program().parent}:/usr/bin:/bin",
        "TEMPORAL_ADDRESS": shared_stack.temporal_address,
        "TEMPORAL_NAMESPACE": "production",
        "HOME": str(shared_stack.directory.path),
    }
    for _ in range(2):
        process = await asyncio.create_subprocess_exec(
            "sh",
            str(SCRIPT),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()
    client = await Client.connect(shared_stack.temporal_address, namespace="production")
    namespace = await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace="production")
    )
    assert namespace.config.workflow_execution_retention_ttl.ToTimedelta().days == 30
    attributes = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace="production")
    )
    assert set(SEARCH_ATTRIBUTES) <= set(attributes.custom_attributes)
