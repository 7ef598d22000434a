"""Claude on AWS Bedrock, over the SDK's own client. Needs the extra `bedrock`."""

from collections.abc import AsyncIterator

import httpx2
from anthropic.lib.bedrock import AsyncAnthropicBedrock

from activities.providers.anthropic.endpoint import MessagesEndpoint, http_client
from activities.providers.anthropic.request import Dialect
from activities.providers.anthropic.stream import Frame
from activities.providers.transport import UnreadableStream

MAX_REQUEST_BYTES = 20 * 1024 * 1024


class BedrockProvider(MessagesEndpoint):
    """Claude by AWS. It runs no tools of its own, and signs as the vendor does."""

    def __init__(
        self,
        *,
        region: str,
        access_key: str | None = None,
        secret_key: str | None = None,
        session_token: str | None = None,
        profile: str | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        label: str = "bedrock",
    ) -> None:
        """Prepare the client; nothing is sent.

        Args:
            region: of AWS, for example `eu-central-1`.
            access_key: with `secret_key`, and `session_token` for temporary ones; without any, those of the
                environment the process runs in.
            profile: name of one in the files of the machine's own credentials.
            api_key: a bearer token, in place of them.
            base_url: where it is; None for AWS's own address in that region.
            label: short name in metrics and failures.

        Raises:
            ModelCallError: the address is not valid.
            ValueError: both an API key and credentials are given.
        """
        super().__init__(
            lambda: AsyncAnthropicBedrock(
                aws_region=region,
                aws_access_key=access_key,
                aws_secret_key=secret_key,
                aws_session_token=session_token,
                aws_profile=profile,
                api_key=api_key,
                base_url=base_url,
                max_retries=0,
                http_client=http_client(),
            ),
            Dialect("anthropic", run_by_vendor=frozenset(), max_request_bytes=MAX_REQUEST_BYTES),
            label=label,
            framing=_aws_events,
        )


async def _aws_events(response: httpx2.Response) -> AsyncIterator[Frame]:
    # Imported here: botocore is there only where Bedrock is used. The SDK has no public name for its decoder.
    from anthropic.lib.bedrock._stream_decoder import AWSEventStreamDecoder
    from botocore.eventstream import ParserError  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

    try:
        async for frame in AWSEventStreamDecoder().aiter_bytes(response.aiter_bytes()):
            yield frame
    except ParserError as error:
        raise UnreadableStream(type(error).__name__) from None
