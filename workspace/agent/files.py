"""The files of a workspace: reading lines, writing, editing all or none."""

import base64
import contextlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

from workspace.protocol import (
    MAX_FETCHED_BYTES,
    Done,
    Edit,
    EditFiles,
    FetchFile,
    FileContent,
    FileLines,
    ReadFile,
    Refused,
    WriteFile,
)

MAX_FILE_BYTES = 1024 * 1024
MAX_LINE_BYTES = 1024
MAX_LINES = 2000
MAX_ANSWER_BYTES = 32 * 1024
MAX_EDITED_BYTES = 8 * 1024 * 1024

_CUT = "... [line cut]"


class _Impossible(Exception):
    """Why a request cannot be fulfilled, in words for the one who asked."""


@dataclass(frozen=True)
class Files:
    """Files as seen from inside; relative paths start at `home`."""

    home: Path

    def read(self, request: ReadFile | FetchFile) -> FileLines | FileContent | Refused:
        """Lines of a text file, numbered; or a whole file, whatever is in it."""
        try:
            return self._read(request) if isinstance(request, ReadFile) else self._fetch(request)
        except _Impossible as error:
            return Refused(str(error), "failed")

    def write(self, request: WriteFile) -> Done | Refused:
        """Write a whole file."""
        try:
            path = self._path(request.path)
            _replace_all([_Replacement(path, None, request.content.encode())])
        except _Impossible as error:
            return Refused(str(error), "failed")
        return Done()

    def edit(self, request: EditFiles) -> Done | Refused:
        """Edit files, all or none."""
        try:
            replacements: dict[Path, _Replacement] = {}
            for file in request.files:
                path = Path(os.path.realpath(self._path(file.path)))
                if path not in replacements:
                    raw = _content(path, MAX_EDITED_BYTES)
                    replacements[path] = _Replacement(path, raw, raw)
                now = replacements[path]
                text = now.new.decode(errors="surrogateescape")
                for number, edit in enumerate(file.edits, 1):
                    text = _edited(text, edit, f"{file.path}, edit {number}")
                replacements[path] = replace(now, new=text.encode(errors="surrogateescape"))
            _replace_all(list(replacements.values()))
        except _Impossible as error:
            return Refused(f"{error} No file was changed.", "failed")
        return Done()

    def _read(self, request: ReadFile) -> FileLines:
        path = self._path(request.path)
        raw = _content(path, MAX_FILE_BYTES)
        if b"\0" in raw:
            raise _Impossible(
                f"{request.path} is not a text file: it holds NUL bytes. Look at it with the tool execute, "
                "for example with file, xxd or strings."
            )
        lines = raw.decode(errors="replace").split("\n")
        if lines[-1] == "":
            lines.pop()
        first, limit = max(1, request.offset), min(max(1, request.limit), MAX_LINES)
        if first > max(1, len(lines)):
            raise _Impossible(f"{request.path} has {len(lines)} lines; line {first} is beyond its end.")
        asked = lines[first - 1 : first - 1 + limit]
        numbered = [f"{number}\t{_short(line)}" for number, line in enumerate(asked, first)]
        _require_fit(numbered, first)
        return FileLines("\n".join(numbered), len(raw), len(lines), len(numbered))

    def _fetch(self, request: FetchFile) -> FileContent:
        advice = "Make it smaller with the tool execute: compress it, or take a part of it."
        raw = _content(self._path(request.path), MAX_FETCHED_BYTES, advice)
        return FileContent(base64.b64encode(raw).decode())

    def _path(self, name: str) -> Path:
        if not name.strip() or "\0" in name:
            raise _Impossible(f"{name!r} is not a path.")
        return self.home / os.path.expanduser(name)


@dataclass(frozen=True)
class _Replacement:
    """A file's new content; `old` is None where it does not matter what was there."""

    path: Path
    old: bytes | None
    new: bytes


_LOOK_FOR = (
    "Use the tool execute to look for what you need (grep, sed -n, head, tail) or to change it (sed -i)."
)


def _content(path: Path, max_bytes: int, advice: str = _LOOK_FOR) -> bytes:
    try:
        if path.is_dir():
            raise _Impossible(f"{path} is a directory. List it with the tool execute: ls -la {path}")
        if path.exists() and not path.is_file():
            raise _Impossible(f"{path} is not a regular file.")
        size = path.stat().st_size
        if size > max_bytes:
            raise _Impossible(
                f"{path} has {size} bytes; files up to {max_bytes} bytes can be handled here. {advice}"
            )
        return path.read_bytes()
    except OSError as error:
        raise _Impossible(f"{path} cannot be read: {error.strerror}.") from None


def _short(line: str) -> str:
    line = line.removesuffix("\r")
    raw = line.encode()
    if len(raw) <= MAX_LINE_BYTES:
        return line
    return raw[:MAX_LINE_BYTES].decode(errors="ignore") + _CUT


def _require_fit(lines: list[str], first: int) -> None:
    size = 0
    for count, line in enumerate(lines):
        size += len(line.encode()) + 1
        if size > MAX_ANSWER_BYTES + 1:
            raise _Impossible(
                f"These {len(lines)} lines are more than {MAX_ANSWER_BYTES} bytes. Read them in pieces: "
                f"offset {first} with limit {count}, then go on from offset {first + count}."
            )


def _edited(text: str, edit: Edit, place: str) -> str:
    if not edit.search:
        raise _Impossible(f"{place}: the search text is empty. Use write_file to write a whole file.")
    found = text.count(edit.search)
    if found == 0:
        raise _Impossible(
            f"{place}: the search text was not found. It must match exactly, white space included; read the "
            "file again."
        )
    if found > 1 and not edit.replace_all:
        raise _Impossible(
            f"{place}: the search text was found {found} times. Add lines around it until there is only one "
            "such place, or set replace_all."
        )
    return text.replace(edit.search, edit.replace)


def _replace_all(replacements: list[_Replacement]) -> None:
    """Put every new content in place, or leave every file as it was."""
    drafts: list[tuple[_Replacement, Path]] = []
    replaced: list[_Replacement] = []
    try:
        for number, replacement in enumerate(replacements):
            target = Path(os.path.realpath(replacement.path))
            if target.is_dir():
                raise _Impossible(f"{replacement.path} is a directory.")
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = target.parent / f".{target.name[:100]}.{os.getpid()}.{number}.new"
            drafts.append((replacement, draft))
            draft.write_bytes(replacement.new)
            if target.exists():
                draft.chmod(target.stat().st_mode & 0o7777)
        for replacement, draft in drafts:
            draft.replace(os.path.realpath(replacement.path))
            replaced.append(replacement)
    except OSError as error:
        for replacement in replaced:
            if replacement.old is not None:
                with contextlib.suppress(OSError):
                    replacement.path.write_bytes(replacement.old)
        raise _Impossible(f"{error.filename or 'A file'} cannot be written: {error.strerror}.") from None
    finally:
        for _, draft in drafts:
            with contextlib.suppress(OSError):
                draft.unlink()
