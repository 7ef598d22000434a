"""The vendor's own endpoint, or one that speaks its protocol."""

from anthropic import AsyncAnthropic, AsyncStream

from activities.providers.anthropic.endpoint import MessagesEndpoint, http_client
from activities.providers.anthropic.request import Dialect


class AnthropicProvider(MessagesEndpoint):
    """Claude by the vendor itself, or whatever answers under its protocol."""

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str | None = None,
        label: str = "anthropic",
        namespace: str | None = None,
    ) -> None:
        """Prepare the client; nothing is sent.

        Args:
            api_key: the key of this endpoint.
            base_url: where it is, without `/v1`; None for the vendor's own.
            label: short name in metrics and failures.
            namespace: name under which its signatures are stored, `anthropic` for all that reach the vendor
                itself; the label if not given.

        Raises:
            ModelCallError: the address is not valid.
        """
        super().__init__(
            lambda: AsyncAnthropic(
                api_key=api_key, base_url=base_url, max_retries=0, http_client=http_client()
            ),
            Dialect(namespace or label),
            label=label,
            framing=AsyncStream.raw_events,
        )
