"""Claude on Google Vertex AI, over the SDK's own client. Needs the extra `vertex`."""

from anthropic import AsyncStream
from anthropic.lib.vertex import AsyncAnthropicVertex

from activities.providers.anthropic.endpoint import MessagesEndpoint, http_client
from activities.providers.anthropic.request import Dialect


class VertexProvider(MessagesEndpoint):
    """Claude by Google. Of the vendor's tools it runs the web search, and it signs as the vendor does."""

    def __init__(
        self,
        *,
        region: str,
        project_id: str,
        access_token: str | None = None,
        base_url: str | None = None,
        label: str = "vertex",
    ) -> None:
        """Prepare the client; nothing is sent.

        Args:
            region: of Google Cloud, for example `europe-west1`, or `global`.
            access_token: of an account that may use the project; None for the credentials of the environment
                the process runs in, which are refreshed as they expire.
            base_url: where it is, with `/v1`; None for Google's own address in that region.
            label: short name in metrics and failures.

        Raises:
            ModelCallError: the address is not valid.
        """
        super().__init__(
            lambda: AsyncAnthropicVertex(
                region=region,
                project_id=project_id,
                access_token=access_token,
                base_url=base_url,
                max_retries=0,
                http_client=http_client(),
            ),
            Dialect("anthropic", run_by_vendor=frozenset({"web_search"})),
            label=label,
            framing=AsyncStream.raw_events,
        )
