"""What is different between the servers that speak OpenAI's protocols: one entry per kind of server.

The adapters ask the profile and nobody's name, so that another server is another entry here.
"""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from activities.providers.limits import FileLimits
from models.addresses import OPENAI_PLACES, Place
from models.effort import Effort
from models.providers import ProviderType

Options = Literal["openai", "google", "openaicompat", "openrouter", "vercel"]

OLLAMA_PORT = 11434

_LOW_TO_HIGH = (Effort.LOW, Effort.MEDIUM, Effort.HIGH)


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of server.

    Attributes:
        place: where the vendor's own servers are, and how they want their key.
        options: the block of provider options that is read.
        system_role: of the instructions.
        output_limit: parameter for the most tokens of an answer.
        sends_usage_option: ask for the usage with `stream_options`; else it comes unasked, or not at all.
        effort: how effort is asked for; None: not at all.
        efforts: what it takes; anything else becomes the nearest below, or the lowest. Empty: all.
        top_k, penalties: whether the server takes these.
        reasoning: fields of a delta in which reasoning may be told, the first of them to send it back in.
        returns_reasoning: within a turn, reasoning goes back beside the calls it led to.
        reasoning_details: reasoning comes signed in pieces, which go back as they were.
        images, documents: whether users' pictures and PDFs are taken.
        web_search: how the server is asked to search the web by itself; None where it cannot be.
        merges_users: messages of a user in a row become one, for templates that insist on alternation.
        max_call_id: longest id of a call.
        files: what pictures and documents may be; None: who knows.
    """

    place: Place = Place()
    options: Options = "openaicompat"
    system_role: Literal["developer", "system"] = "system"
    output_limit: Literal["max_completion_tokens", "max_tokens"] = "max_tokens"
    sends_usage_option: bool = True
    effort: Literal["reasoning_effort", "reasoning"] | None = "reasoning_effort"
    efforts: tuple[Effort, ...] = ()
    top_k: bool = False
    penalties: bool = True
    reasoning: tuple[str, ...] = ("reasoning_content", "reasoning")
    returns_reasoning: bool = False
    reasoning_details: bool = False
    images: bool = True
    documents: bool = False
    web_search: Literal["web_search_options", "openrouter:web_search"] | None = None
    merges_users: bool = True
    max_call_id: int = 40
    files: FileLimits | None = None


_FILES = FileLimits(pictures=500, all_bytes=50_000_000)

_OPENAI = Profile(
    place=OPENAI_PLACES[ProviderType.OPENAI],
    options="openai",
    system_role="developer",
    output_limit="max_completion_tokens",
    documents=True,
    web_search="web_search_options",
    merges_users=False,
    files=_FILES,
)

PROFILES = {
    "openai": _OPENAI,
    "azure": Profile(
        place=OPENAI_PLACES[ProviderType.AZURE],
        options="openai",
        system_role="developer",
        output_limit="max_completion_tokens",
        documents=True,
        merges_users=False,
        files=_FILES,
    ),
    "openai-compat": Profile(),
    "google": Profile(
        place=OPENAI_PLACES[ProviderType.GOOGLE],
        options="google",
        efforts=(Effort.NONE, *_LOW_TO_HIGH),
        penalties=False,
        max_call_id=128,
    ),
    "openrouter": Profile(
        place=OPENAI_PLACES[ProviderType.OPENROUTER],
        options="openrouter",
        effort="reasoning",
        top_k=True,
        reasoning=("reasoning", "reasoning_content"),
        reasoning_details=True,
        documents=True,
        web_search="openrouter:web_search",
        max_call_id=64,
    ),
    "vercel": Profile(
        place=OPENAI_PLACES[ProviderType.VERCEL],
        options="vercel",
        effort="reasoning",
        reasoning=("reasoning", "reasoning_content"),
        reasoning_details=True,
        documents=True,
        max_call_id=64,
    ),
    "vllm": Profile(top_k=True, returns_reasoning=True),
    "ollama": Profile(
        efforts=(Effort.NONE, *_LOW_TO_HIGH),
        reasoning=("reasoning", "reasoning_content"),
    ),
    "groq": Profile(
        output_limit="max_completion_tokens",
        efforts=_LOW_TO_HIGH,
        reasoning=("reasoning", "reasoning_content"),
    ),
    "xai": Profile(
        output_limit="max_completion_tokens",
        efforts=(Effort.LOW, Effort.HIGH),
        penalties=False,
    ),
    "deepseek": Profile(
        effort=None,
        returns_reasoning=True,
        images=False,
    ),
}
"""By kind of server. The key is what an administrator writes as the type of a provider, or nearly so."""


_KNOWN_HOSTS = {
    "api.deepseek.com": "deepseek",
    "api.groq.com": "groq",
    "api.x.ai": "xai",
    "openrouter.ai": "openrouter",
    "ai-gateway.vercel.sh": "vercel",
    "generativelanguage.googleapis.com": "google",
}


def profile_for(provider_type: str, base_url: str | None = None) -> Profile:
    """The profile of a provider of this type; of a server that is merely compatible, by its address.

    Raises:
        KeyError: there is no such type.
    """
    if provider_type == "openai-compat" and base_url:
        address = urlsplit(base_url)
        if address.port == OLLAMA_PORT:
            return PROFILES["ollama"]
        return PROFILES[_KNOWN_HOSTS.get(address.hostname or "", provider_type)]
    return PROFILES[provider_type]
