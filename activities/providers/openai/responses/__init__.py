"""The Responses API: items in, items out."""

from activities.providers.openai.responses.request import wire_request
from activities.providers.openai.responses.stream import ResponseReader
from activities.providers.protocol import ModelRequest


class ResponsesWire:
    """Implements `Wire`.

    Args:
        label: short name in failures.
        namespace: under which is stored what the vendor wants back.
    """

    path = "/responses"

    def __init__(self, label: str, namespace: str) -> None:
        self._label = label
        self._namespace = namespace

    def body(self, request: ModelRequest) -> dict[str, object]:
        return wire_request(request, self._namespace)

    def reader(self, request: ModelRequest) -> ResponseReader:
        stored = request.options.provider_options.openai.store
        return ResponseReader(self._label, self._namespace, stored=stored)
