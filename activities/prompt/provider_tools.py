"""The tools of a vendor that a model's configuration turns on. Pure."""

from activities.providers.protocol import ProviderTool
from models.model_options import CallConfig


def configured(options: CallConfig, provider_type: str) -> list[ProviderTool]:
    """What the vendor is to run for a model of a provider of this type (spec chat-loop.md 3.5)."""
    search = _web_search(options, provider_type)
    return [search] if search else []


def _web_search(options: CallConfig, provider_type: str) -> ProviderTool | None:
    match provider_type:
        case "anthropic":
            block = options.provider_options.anthropic
            given = {"allowed_domains": block.allowed_domains, "blocked_domains": block.blocked_domains}
        case "openai" | "azure":
            block = options.provider_options.openai
            given = {
                "allowed_domains": block.allowed_domains,
                "search_context_size": block.search_context_size,
            }
        case "google":
            block = options.provider_options.google
            given = {}
        case _:
            return None  # the others run no tools, or not under these names
    if not block.web_search_enabled:
        return None
    return ProviderTool("web_search", {name: value for name, value in given.items() if value})
