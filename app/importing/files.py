"""What lies below the path that is imported: posts, what can't be read, and what is no post."""

import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from app.importing.sites import site_of

MARKDOWN = (".md", ".markdown")
HTML = (".html", ".htm")
GENERATED = frozenset({"node_modules", "_site"})
FRONT_MATTER = (b"---", b"+++")
PEEK = 1024  # bytes: enough to see whether there is front matter


@dataclass
class Found:
    """Posts; the reasons why others can't be taken; and by kind, in the plural, the names of what is no post."""

    files: list[Path] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)
    aside: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def find(path: Path) -> Found:
    """Everything below a resolved folder, or the file that is named."""
    found = Found()
    folders = [path] if path.is_dir() else []
    if not folders:
        found.files.append(path)
    while folders:
        folders += _look(folders.pop(), path, found)
    found.files.sort()
    found.faults.sort()
    for names in found.aside.values():
        names.sort()
    return found


def _look(folder: Path, top: Path, found: Found) -> list[Path]:
    """The folders in this folder; what else it holds is sorted into `found`."""
    try:
        with os.scandir(folder) as entries:
            listed = list(entries)
    except OSError as error:
        found.faults.append((f"{folder.relative_to(top).as_posix()}/", f"can't be read: {error.strerror}"))
        return []
    return [Path(entry.path) for entry in listed if _is_folder(entry, top, found)]


def _is_folder(entry: os.DirEntry[str], top: Path, found: Found) -> bool:
    path = Path(entry.path)
    name = path.relative_to(top).as_posix()
    if entry.name.startswith("."):
        found.aside["hidden files and folders"].append(name)
    elif entry.is_symlink():
        _sort_link(path, name, top, found)
    elif entry.is_dir(follow_symlinks=False):
        if entry.name not in GENERATED:
            return True
        found.aside["generated folders"].append(f"{name}/")
    elif kind := _other_than_post(path, top, regular=entry.is_file(follow_symlinks=False)):
        found.aside[kind].append(name)
    else:
        found.files.append(path)
    return False


def _sort_link(path: Path, name: str, top: Path, found: Found) -> None:
    """No link is followed: what it leads to is either read where it lies, or isn't the importer's to read."""
    if _target(path).is_relative_to(top):
        found.aside["links within the folder"].append(name)
    else:
        found.faults.append((name, "a link that leads out of the folder isn't followed"))


def _target(link: Path) -> Path:
    try:
        return link.resolve()
    except (OSError, RuntimeError):  # in a circle
        return link


def _other_than_post(file: Path, top: Path, *, regular: bool) -> str | None:
    suffix = file.suffix.casefold()
    if not regular:
        return "special files"
    if suffix not in MARKDOWN + HTML:
        return f"{suffix} files" if suffix else "files without a suffix"
    if file.stem == "_index":
        return "section pages"
    if suffix in HTML and not _has_front_matter(file):
        return "HTML files without front matter"
    return site_of(file.parent, top).refuses(file)


def _has_front_matter(file: Path) -> bool:
    """True also for a file that can't be read: reading it will say why."""
    try:
        with file.open("rb") as opened:
            return opened.read(PEEK).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(FRONT_MATTER)
    except OSError:
        return True
