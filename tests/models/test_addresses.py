"""Where a provider is, by its type and what an administrator has entered."""

from models.addresses import OPENAI_PLACES
from models.providers import ProviderType


def test_an_address_without_a_path_gets_the_usual_one() -> None:
    azure = OPENAI_PLACES[ProviderType.AZURE]
    assert azure.address("https://x.openai.azure.com/") == "https://x.openai.azure.com/openai/v1"
    assert azure.address("https://x.openai.azure.com/own/v1") == "https://x.openai.azure.com/own/v1"
    assert OPENAI_PLACES[ProviderType.OPENAI].address(None) == "https://api.openai.com/v1"


def test_who_has_no_address_of_everybodys_is_told_by_the_type() -> None:
    for provider_type, place in OPENAI_PLACES.items():
        assert (place.base_url is None) == provider_type.needs_base_url
