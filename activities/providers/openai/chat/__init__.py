"""The Chat Completions API: messages in, chunks out, as many servers speak it."""

from activities.providers.openai.chat.request import wire_request
from activities.providers.openai.chat.stream import ChunkReader
from activities.providers.openai.profiles import Profile
from activities.providers.protocol import ModelRequest


class ChatWire:
    """Implements `Wire`.

    Args:
        label: under which is stored what the vendor wants back.
        profile: what the server takes and tells.
    """

    path = "/chat/completions"

    def __init__(self, label: str, profile: Profile) -> None:
        self._label = label
        self._profile = profile

    def body(self, request: ModelRequest) -> dict[str, object]:
        return wire_request(request, self._label, self._profile)

    def reader(self, request: ModelRequest) -> ChunkReader:
        return ChunkReader(self._label, self._profile)
