"""Routes of files (spec api.md section 8)."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query
from starlette.requests import Request
from starlette.responses import Response

from api.auth.principals import CurrentCaller
from api.errors import ApiError, invalid, not_found
from api.files.disposition import disposition, file_name
from api.files.schemas import DownloadLink, StoredFile
from api.requests import json_answer
from api.schemas import errors
from api.services import Services, services_of
from models.file_rules import SHOWN_INLINE, MediaTypeRefused, checked_media_type
from models.permissions import Permission
from models.store import files
from models.store.files import FileRecord, NewFile

_MAX_TOKEN = 1000
"""Characters. Longer ones are not looked at: none of ours is."""

_UPLOAD_SECONDS = 120.0
"""A slow client holds memory and a place among the uploads."""

router = APIRouter(tags=["files"])
public_router = APIRouter(tags=["files"])
"""What needs no token of the API, because it has one of its own."""

_BYTES = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


@router.post(
    "/chats/files",
    operation_id="uploadFile",
    status_code=201,
    responses={201: {"model": StoredFile}, **errors(400, 403, 408, 413, 503)},
    openapi_extra={"requestBody": {"required": True, **_BYTES}},
)
async def upload_file(
    request: Request,
    caller: CurrentCaller,
    organization: Annotated[UUID, Query(description="The organization of the chats that will use it.")],
    content_disposition: Annotated[
        str | None, Header(examples=['attachment; filename="plan.pdf"'], description="Names the file.")
    ] = None,
    content_type: Annotated[str, Header(examples=["application/pdf"])] = "",
) -> Response:
    """Store a file, to be named by a message: an image, a PDF or a text of at most 10 MiB."""
    if not caller.may(Permission.CREATE_CHATS, organization):
        raise ApiError(403, "You may not create chats in this organization.")
    name = file_name(content_disposition)
    services = services_of(request)
    async with services.uploads:
        data = await _received(request)
        if not data:
            raise invalid(("body", "Must be the bytes of the file."))
        try:
            media_type = await asyncio.to_thread(checked_media_type, content_type, name, data)
        except MediaTypeRefused as error:
            raise invalid(("body", str(error))) from error
        new = await asyncio.to_thread(NewFile.of, name, media_type, data)
        async with files.arriving(services.engine, organization, caller.user_id, new) as file_id:
            await services.blobs.put(file_id, data)
    return json_answer({"id": file_id}, 201)


@router.get(
    "/chats/files/{file}",
    operation_id="getFile",
    response_class=Response,
    responses={200: {"description": "The bytes.", **_BYTES}, **errors(400, 404, 503)},
)
async def get_file(request: Request, file: UUID, caller: CurrentCaller) -> Response:
    """The bytes of a file. They never change."""
    services = services_of(request)
    record, data = await _read(services, caller.user_id, file)
    return _sent(record, data, "private, max-age=31536000, immutable")


@router.post(
    "/chats/files/{file}/download-url",
    operation_id="makeDownloadLink",
    responses={200: {"model": DownloadLink}, **errors(400, 404)},
)
async def make_download_link(request: Request, file: UUID, caller: CurrentCaller) -> Response:
    """A link that fetches the file without a token, for five minutes."""
    services = services_of(request)
    record = await files.find_file(services.engine, caller.user_id, file)
    if record is None:
        raise not_found("file")
    token, link = await services.links.make(file, caller.user_id)
    address = request.url_for("download_file", file=str(file)).include_query_params(token=token)
    return json_answer(
        {
            "url": str(address),
            "expires_at": datetime.fromtimestamp(link.expires_at, UTC),
            "sha256": record.sha256.hex(),
            "size_bytes": record.size_bytes,
            "name": record.name,
            "mime_type": record.mime_type,
        }
    )


@public_router.get(
    "/chats/files/{file}/download",
    operation_id="downloadFile",
    response_class=Response,
    responses={200: {"description": "The bytes.", **_BYTES}, **errors(404, 503)},
)
async def download_file(
    request: Request, file: str, token: Annotated[str, Query(description="Of the link.")] = ""
) -> Response:
    """The bytes of a file, for whoever has a signed link to it."""
    services = services_of(request)
    link = await services.links.read(token) if len(token) <= _MAX_TOKEN else None
    if link is None or str(link.file_id) != file.lower():
        raise not_found("file")
    record, data = await _read(services, link.user_id, link.file_id)
    return _sent(record, data, "no-store")


async def _received(request: Request) -> bytes:
    try:
        async with asyncio.timeout(_UPLOAD_SECONDS):
            return await request.body()
    except TimeoutError:
        raise ApiError(
            408, "The file did not arrive in time.", f"It may take {_UPLOAD_SECONDS:.0f} seconds at most."
        ) from None


async def _read(services: Services, user_id: UUID, file_id: UUID) -> tuple[FileRecord, bytes]:
    record = await files.find_file(services.engine, user_id, file_id)
    data = None if record is None else await services.blobs.get(file_id)
    if record is None or data is None:
        raise not_found("file")
    return record, data


def _sent(record: FileRecord, data: bytes, caching: str) -> Response:
    """Somebody else's bytes on our own address: nothing in them may run."""
    return Response(
        data,
        media_type=None,
        headers={
            "Content-Type": record.mime_type,
            "Content-Disposition": disposition(record.name, inline=record.mime_type in SHOWN_INLINE),
            "Cache-Control": caching,
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        },
    )
