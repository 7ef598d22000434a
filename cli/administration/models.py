"""`perdure models`: what an organization offers for chats."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import CommandError
from cli.options import JsonOption, OrganizationOption, on_a_server

if TYPE_CHECKING:
    from perdure.client import Catalog, Model, OfferingProvider, Perdure, Server

app = typer.Typer(help="Models on offer: add, choose the default, remove.", no_args_is_help=True)

_Model = Annotated[str, typer.Argument(metavar="MODEL", help="The model's name, or PROVIDER:MODEL.")]


@app.command(
    "add",
    epilog="Examples:  perdure models add anthropic:claude-sonnet-4-5 --default  |  "
    "perdure models add local:llama3.3 --context-limit 131072",
)
@on_a_server
def add(
    server: "Server",
    reference: Annotated[
        str,
        typer.Argument(
            metavar="PROVIDER:MODEL",
            help="A provider's name or type, and the model's name. Of models whose name tells the vendor, "
            "that alone.",
        ),
    ],
    display_name: Annotated[str | None, typer.Option("--as", help="What people call it.")] = None,
    context_limit: Annotated[
        int | None, typer.Option(min=1, help="Tokens it takes. Default: what is known of it.")
    ] = None,
    default: Annotated[bool, typer.Option("--default", help="New chats use it.")] = False,
    organization: OrganizationOption = None,
) -> None:
    """Offer a model. What is publicly known of it, its context and prices, is filled in."""
    from cli.administration.lookup import find_provider, organization_id
    from cli.terminal.answers import asked

    front, model = provider_and_model(reference)

    async def create(perdure: "Perdure") -> "Model":
        provider = await find_provider(perdure, front)
        where = await organization_id(perdure, organization)
        known = _known(provider.type, model, display_name, context_limit)
        return await perdure.models.create(
            provider.id, model, organization_id=where, is_default=default, **known
        )

    made = asked(server, create)
    priced = "with its prices" if "cost" in (made.config or {}) else "without prices"
    print(
        f"Offered {made.model}, {made.context_limit:,} tokens, {priced}."
        + (" New chats use it." if made.is_default else "")
    )


@app.command("list", epilog="Example:  perdure models list")
@on_a_server
def list_all(server: "Server", organization: OrganizationOption = None, as_json: JsonOption = False) -> None:
    """List the models on offer."""
    from cli.administration.lookup import organization_id
    from cli.terminal.answers import asked, show_json, show_rows

    async def read(perdure: "Perdure") -> "Catalog":
        return await perdure.models.list(await organization_id(perdure, organization))

    found = asked(server, read)
    if as_json:
        show_json(found)
        return
    show_rows(
        found.models,
        {
            "MODEL": lambda one: _reference(found, one),
            "NAME": lambda one: one.display_name,
            "CONTEXT": lambda one: f"{one.context_limit:,}",
            "STATE": lambda one: _state(one, found.provider_of(one)),
        },
    )


@app.command("default", epilog="Example:  perdure models default claude-sonnet-4-5")
@on_a_server
def make_default(server: "Server", model: _Model, organization: OrganizationOption = None) -> None:
    """Let new chats use a model."""
    from cli.administration.lookup import organization_id
    from cli.terminal.answers import asked

    async def patch(perdure: "Perdure") -> "Model":
        where = await organization_id(perdure, organization)
        found = await _find(perdure, where, model)
        return await perdure.models.edit(found.id, organization_id=where, is_default=True)

    print(f"New chats use {asked(server, patch).model}.")


@app.command("remove", epilog="Example:  perdure models remove local:llama3.3")
@on_a_server
def remove(server: "Server", model: _Model, organization: OrganizationOption = None) -> None:
    """Take a model off offer. Chats on it go on with the default."""
    from cli.administration.lookup import organization_id
    from cli.terminal.answers import asked

    async def delete(perdure: "Perdure") -> None:
        where = await organization_id(perdure, organization)
        found = await _find(perdure, where, model)
        await perdure.models.delete(found.id, organization_id=where)

    asked(server, delete)
    print(f"Removed {model}.")


@app.command("known", epilog="Example:  perdure models known anthropic")
def known(
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="A type of provider.")],
    as_json: JsonOption = False,
) -> None:
    """List what is publicly known of a vendor's models, from data that came with this version."""
    from cli.terminal.answers import show_rows
    from models.providers import ProviderType
    from runtime.known_models import known_models

    if kind not in list(ProviderType):
        raise CommandError(f"{kind!r} is no type of provider. There are: {', '.join(ProviderType)}")
    found: list[dict[str, Any]] = [
        {
            "model": one.model,
            "display_name": one.display_name,
            "context_limit": one.context_limit,
            "cost": one.prices.stored(),
        }
        for one in known_models(ProviderType(kind))
    ]
    show_rows(
        found,
        {
            "MODEL": lambda one: one["model"],
            "CONTEXT": lambda one: f"{one['context_limit']:,}" if one["context_limit"] else "",
            "$/M IN": lambda one: one["cost"].get("input_price_per_million_tokens", ""),
            "$/M OUT": lambda one: one["cost"].get("output_price_per_million_tokens", ""),
        },
        as_json=as_json,
    )


def provider_and_model(written: str) -> tuple[str, str]:
    """A provider's name or type, and a model's name. People give providers any name, so what is in front of a
    colon is one; the rest is as in spec chat-loop.md 3.2.

    Raises:
        CommandError: Nothing tells the provider.
    """
    from models.model_references import parse_model_reference

    front, found, model = written.partition(":")
    if found and front.strip() and model.strip():
        return front.strip(), model.strip()
    try:
        reference = parse_model_reference(written)
    except ValueError as error:
        raise CommandError(str(error)) from error
    if reference.provider is None:
        raise CommandError("write the provider in front: perdure models add anthropic:claude-sonnet-4-5")
    return reference.provider, reference.model


def _known(kind: str, model: str, display_name: str | None, context_limit: int | None) -> dict[str, Any]:
    """What is to be filled in, asked for or known."""
    from models.providers import ProviderType
    from runtime.known_models import USUAL_CONTEXT_LIMIT, known_model

    found = known_model(ProviderType(kind), model)
    if found is None:
        limit = context_limit or USUAL_CONTEXT_LIMIT
        return {"display_name": display_name or model, "context_limit": limit}
    cost = found.prices.stored()
    return {
        "display_name": display_name or found.display_name,
        "context_limit": context_limit or found.context_limit or USUAL_CONTEXT_LIMIT,
        "config": {"cost": cost} if cost else {},
    }


async def _find(perdure: "Perdure", organization_id: str, wanted: str) -> "Model":
    catalog = await perdure.models.list(organization_id)
    written = {wanted, wanted.replace("/", ":", 1)}
    matching = [one for one in catalog.models if written & {one.id, one.model, _reference(catalog, one)}]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise CommandError(f"there are several models {wanted}: write PROVIDER:MODEL, or the id")
    raise CommandError(f"there is no model {wanted!r}. `perdure models list` lists them.")


def _reference(catalog: "Catalog", model: "Model") -> str:
    provider = catalog.provider_of(model)
    return f"{provider.type if provider else '?'}:{model.model}"


def _state(model: "Model", provider: "OfferingProvider | None") -> str:
    if not model.enabled:
        return "off"
    if provider is not None and not provider.available:
        return (provider.unavailable_reason or "").replace("_", " ")
    return "default" if model.is_default else ""
