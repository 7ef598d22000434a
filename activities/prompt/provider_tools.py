"""The tools of a vendor that a model's configuration turns on. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from activities.providers.protocol import ProviderTool
from models.model_options import CallConfig
from models.vendor_options import AnthropicOptions, McpServer, OpenAIOptions, OpenRouterOptions


def configured(options: CallConfig, provider_type: str) -> list[ProviderTool]:
    """What the vendor is to run for a model of a provider of this type (spec chat-loop.md 3.5).

    Which of it the endpoint has, its adapter knows.
    """
    blocks = options.provider_options
    match provider_type:
        case "anthropic" | "vertex":
            return list(_anthropic(blocks.anthropic))
        case "openai" | "azure":
            return list(_openai(blocks.openai))
        case "openrouter":
            return list(_openrouter(blocks.openrouter))
        case "google":
            return [ProviderTool("web_search")] if blocks.google.web_search_enabled else []
        case _:
            return []  # the others run no tools, or not under these names


def _anthropic(block: AnthropicOptions) -> Iterator[ProviderTool]:
    domains = {"allowed_domains": block.allowed_domains, "blocked_domains": block.blocked_domains}
    if block.web_search_enabled:
        yield _tool("web_search", **domains)
    if block.web_fetch_enabled:
        yield _tool("web_fetch", citations=True, **domains)
    if block.code_execution_enabled:
        yield _tool("code_execution")
    yield from _servers(block.mcp_servers)


def _openai(block: OpenAIOptions) -> Iterator[ProviderTool]:
    if block.web_search_enabled:
        size = block.search_context_size
        yield _tool("web_search", allowed_domains=block.allowed_domains, search_context_size=size)
    if block.code_interpreter_enabled:
        yield _tool("code_execution")
    if block.vector_store_ids:
        yield _tool("file_search", vector_store_ids=block.vector_store_ids)
    yield from _servers(block.mcp_servers)


def _openrouter(block: OpenRouterOptions) -> Iterator[ProviderTool]:
    if block.web_search_enabled:
        yield _tool(
            "web_search",
            allowed_domains=block.allowed_domains,
            blocked_domains=block.blocked_domains,
            search_context_size=block.search_context_size,
        )


def _servers(servers: Iterable[McpServer]) -> Iterator[ProviderTool]:
    for server in servers:
        yield _tool("mcp", name=server.name, url=server.url, allowed_tools=server.allowed_tools)


def _tool(kind: str, **options: Any) -> ProviderTool:
    given: Mapping[str, Any] = {name: value for name, value in options.items() if value}
    return ProviderTool(kind, given)
