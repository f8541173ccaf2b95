"""Reads what is to be imported: a folder of posts with front matter, one such file, or a JSON Lines file."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.importing.files import Found, find
from app.importing.front_matter import Unreadable, read_front_matter
from app.importing.permalinks import path_of
from app.importing.sites import DRAFTS, Site, site_of
from app.schemas.base import in_words
from app.schemas.imports import KNOWN_FIELDS, TEXT_FIELDS, ImportedPost, day_in_path

JSON_LINES = (".jsonl", ".ndjson")
PATHS = frozenset({"permalink", "url"})  # read, and nothing of them is kept but the path


@dataclass(frozen=True)
class Source:
    """One post to import, or the reason why it can't be; `ignored` names front matter that has no place here."""

    name: str
    post: ImportedPost | None = None
    fault: str | None = None
    ignored: frozenset[str] = field(default=frozenset())


@dataclass(frozen=True)
class Collection:
    """What is to be imported: `size` sources, read one after the other in a stable order, faulty ones included."""

    path: Path
    found: Found
    size: int

    def read(self, *, default_author: str | None = None) -> Iterator[Source]:
        for name, reason in self.found.faults:
            yield Source(name, fault=reason)
        raw = _json_lines(self.path) if _is_json_lines(self.path) else _documents(self.path, self.found.files)
        for name, fields, ignored in raw:
            if isinstance(fields, Unreadable):
                yield Source(name, fault=str(fields))
                continue
            if default_author and not (fields.get("authors") or fields.get("author")):
                fields["authors"] = [default_author]
            yield _validated(name, fields, ignored)


def collect(path: Path) -> Collection:
    """Quick: of the posts none is read yet. Raises Unreadable when a site's configuration is."""
    path = path.resolve()
    if _is_json_lines(path):
        with path.open("rb") as lines:
            return Collection(path, Found(), sum(1 for line in lines if line.strip()))
    found = find(path)
    return Collection(path, found, len(found.files) + len(found.faults))


def _validated(name: str, fields: dict[str, Any], ignored: Iterable[str]) -> Source:
    try:
        post = ImportedPost.model_validate({key: value for key, value in fields.items() if value is not None})
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        return Source(name, fault="; ".join(map(_described, faults)))
    return Source(name, post, ignored=frozenset(ignored))


def _described(fault: ErrorDetails) -> str:
    described = f"{'.'.join(map(str, fault['loc']))}: {in_words(fault)}"
    is_nameless = fault["type"] in {"missing", "too_short"} and fault["loc"] in {("authors",), ("author",)}
    return f"{described} (--author NAME gives one to posts without)" if is_nameless else described


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


def _documents(path: Path, files: Iterable[Path]) -> _Raw:
    top = path if path.is_dir() else path.parent
    for file in files:
        name = file.relative_to(top).as_posix()
        try:
            yield name, *_document(file, top)
        except Unreadable as fault:
            yield name, fault, ()
        except OSError as error:
            yield name, Unreadable(f"can't be read: {error.strerror}"), ()


def _document(file: Path, top: Path) -> tuple[dict[str, Any], Iterable[str]]:
    fields, body = read_front_matter(file)
    site = site_of(file.parent, top)
    if site.refuses(file):  # and yet it was named, alone
        site = Site("none", top)
    # The text below the front matter is the post's, whatever the front matter calls its body.
    ignored = _names(fields) - (KNOWN_FIELDS - TEXT_FIELDS) - PATHS
    fields["path"] = path_of(file, fields, site)
    fields["body"] = body
    if not fields.keys() & {"date", "published_at"}:
        place = file.relative_to(site.root).as_posix()
        fields["date"] = day_in_path(fields["path"]) or day_in_path(place)
    if DRAFTS in file.parts[:-1]:
        fields["draft"] = True
    return fields, ignored


def _names(fields: dict[str, Any]) -> set[str]:
    """Zola keeps its tags and categories one level deeper."""
    taxonomies = fields.get("taxonomies")
    return fields.keys() - {"taxonomies"} | set(taxonomies) if isinstance(taxonomies, dict) else set(fields)
