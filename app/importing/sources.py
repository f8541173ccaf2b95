"""Reads what is to be imported: a folder of Markdown with front matter, one such file, or a JSON Lines file."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.importing.front_matter import Unreadable, read_front_matter
from app.schemas.base import in_words
from app.schemas.imports import KNOWN_FIELDS, TEXT_FIELDS, ImportedPost, day_in_path

MARKDOWN = (".md", ".markdown")
JSON_LINES = (".jsonl", ".ndjson")
DRAFTS = "_drafts"  # Jekyll's folder of what isn't published yet


@dataclass(frozen=True)
class Source:
    """One post to import, or the reason why it can't be; `ignored` names front matter that has no place here."""

    name: str
    post: ImportedPost | None = None
    fault: str | None = None
    ignored: frozenset[str] = field(default=frozenset())


def count(path: Path) -> int:
    """How many sources `read` will give; quick, for a progress bar."""
    if _is_json_lines(path):
        with path.open("rb") as lines:
            return sum(1 for line in lines if line.strip())
    return len(_files(path))


def read(path: Path, *, default_author: str | None = None) -> Iterator[Source]:
    """Every source below the path, faulty ones included, in a stable order."""
    raw = _json_lines(path) if _is_json_lines(path) else _documents(path)
    for name, fields, ignored in raw:
        if isinstance(fields, Unreadable):
            yield Source(name, fault=str(fields))
            continue
        if default_author and not (fields.get("authors") or fields.get("author")):
            fields["authors"] = [default_author]
        yield _validated(name, fields, ignored)


def _validated(name: str, fields: dict[str, Any], ignored: Iterable[str]) -> Source:
    try:
        post = ImportedPost.model_validate({key: value for key, value in fields.items() if value is not None})
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        described = (f"{'.'.join(map(str, fault['loc']))}: {in_words(fault)}" for fault in faults)
        return Source(name, fault="; ".join(described))
    return Source(name, post, ignored=frozenset(ignored))


# Each source's name, its fields, and those of them that have no place here.
type _Raw = Iterator[tuple[str, dict[str, Any] | Unreadable, Iterable[str]]]


def _is_json_lines(path: Path) -> bool:
    return path.suffix.casefold() in JSON_LINES


def _json_lines(path: Path) -> _Raw:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                fields = _json_object(line)
                ignored = fields.keys() - KNOWN_FIELDS if isinstance(fields, dict) else ()
                yield f"{path.name}:{number}", fields, ignored


def _json_object(line: bytes) -> dict[str, Any] | Unreadable:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Unreadable(f"not JSON: {error}")
    return fields if isinstance(fields, dict) else Unreadable("not a JSON object")


def _documents(path: Path) -> _Raw:
    root = path if path.is_dir() else path.parent
    for file in _files(path):
        place = file.relative_to(root)
        name = place.as_posix()
        try:
            fields, body = read_front_matter(file)
        except (OSError, Unreadable) as error:
            text = str(error) if isinstance(error, Unreadable) else f"can't be read: {error.strerror}"
            yield name, Unreadable(text), ()
            continue
        # The text below the front matter is the post's, whatever the front matter calls its body.
        ignored = fields.keys() - (KNOWN_FIELDS - TEXT_FIELDS)
        fields["body"] = body
        fields["path"] = _path(place, fields)
        if not fields.keys() & {"date", "published_at"}:
            fields["date"] = day_in_path(fields["path"]) or day_in_path(name)
        if DRAFTS in file.absolute().parts[:-1]:
            fields["draft"] = True
        yield name, fields, ignored


def _files(path: Path) -> list[Path]:
    """`_index.md` describes a section, and hidden folders aren't content."""
    if not path.is_dir():
        return [path]
    found = (file for file in path.rglob("*") if file.suffix.casefold() in MARKDOWN and file.stem != "_index")
    return sorted(file for file in found if not any(part.startswith(".") for part in file.relative_to(path).parts))


def _path(place: Path, fields: dict[str, Any]) -> str:
    """The front matter's path; else the file's place, its last part replaced by the front matter's slug."""
    if given := fields.get("path"):
        return str(given).strip("/")
    inner = place.parent if place.stem == "index" else place.with_suffix("")
    if slug := fields.pop("slug", None):
        inner = inner.parent / str(slug).strip("/")
    return inner.as_posix()
