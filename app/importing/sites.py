"""The site that a file belongs to: its generator, and the folder that its posts' paths begin below.

Both follow from where the file lies, whichever folder was named: `import site` and `import site/_posts` agree.
"""

import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from app.importing.front_matter import Unreadable

POSTS = "_posts"
DRAFTS = "_drafts"
JEKYLL_FOLDERS = frozenset({POSTS, DRAFTS})
JEKYLL = ("_config.yml", "_config.yaml", "_config.toml")
ELEVENTY = (".eleventy.js", *(f"eleventy.config.{kind}" for kind in ("js", "mjs", "cjs", "ts")))
ZOLA = ("zola.toml", "config.toml")
HUGO = tuple(f"{name}.{kind}" for name in ("hugo", "config") for kind in ("toml", "yaml", "yml", "json"))
_INPUT = re.compile(r"""\binput\s*:\s*["']([^"']+)["']""")

type Generator = Literal["jekyll", "hugo", "zola", "eleventy", "none"]


@dataclass(frozen=True)
class Site:
    generator: Generator
    root: Path
    config: dict[str, Any] = field(default_factory=dict)

    def refuses(self, file: Path) -> str | None:
        """What the file is instead of a post, in the plural."""
        if not file.is_relative_to(self.root):
            return f"files outside of {self.root.name}"
        folders = frozenset(file.relative_to(self.root).parts[:-1])
        if self.generator == "jekyll" and not folders & JEKYLL_FOLDERS:
            return f"pages outside of {POSTS} and {DRAFTS}"
        if self.generator == "eleventy" and any(name.startswith("_") for name in folders - JEKYLL_FOLDERS):
            return "templates"
        if self.generator == "hugo" and self._is_resource(file):
            return "resources of a page bundle"
        return None

    def _is_resource(self, file: Path) -> bool:
        folders = [place for place in file.parents if place != self.root and place.is_relative_to(self.root)]
        if file.stem == "index":
            folders = folders[1:]
        return any(_has(place, "index.md") for place in folders)


@cache
def site_of(folder: Path, named: Path) -> Site:
    """The site around a resolved folder; `named` is what was asked for, the root of files that belong to none.

    Raises Unreadable when the site's configuration can't be read.
    """
    for place in (folder, *folder.parents):
        if site := _site_at(place):
            return site
    for place in (folder, *folder.parents):
        if place.name in JEKYLL_FOLDERS:
            return Site("jekyll", place.parent)
    while _has(named.parent, "_index.md"):  # a section of Zola or Hugo
        named = named.parent
    return Site("none", named)


@cache
def _site_at(place: Path) -> Site | None:
    if name := _first(place, JEKYLL):
        config = _parsed(place / name)
        # Without the site's configuration nobody knows how many of a post's folders are its categories.
        return Site("jekyll", place / str(config.get("source", ".")), {"categories_in_path": True, **config})
    if name := _first(place, ELEVENTY):
        found = _INPUT.search(_text(place / name))
        return Site("eleventy", place / (found[1] if found else "."))
    return _zola_or_hugo(place)


def _zola_or_hugo(place: Path) -> Site | None:
    name = _first(place, HUGO) or _first(place, ZOLA)
    shared = place / "config" / "_default"
    if not name and not _is(Path.is_dir, shared):
        return None
    # Many other programs have a `config.json`, in whatever form.
    is_lenient = not _is(Path.is_dir, place / "content")
    config = _parsed(place / name, is_lenient=is_lenient) if name else {}
    if name in ZOLA and "base_url" in config:
        return Site("zola", place / "content", config)
    config |= {key: value for each in HUGO for key, value in _parsed(shared / each).items()}
    for kind in ("toml", "yaml", "json"):
        if permalinks := _parsed(shared / f"permalinks.{kind}"):
            config["permalinks"] = permalinks
    content = place / _content_folder(config)
    return Site("hugo", content, config) if _is(Path.is_dir, content) else None


def _content_folder(config: dict[str, Any]) -> str:
    """Hugo's, that of the default language: the paths of translations are relative to folders of their own."""
    settings = {key.lower(): value for key, value in config.items()}
    languages = settings.get("languages")
    language = languages.get(settings.get("defaultcontentlanguage", "en")) if isinstance(languages, dict) else None
    own = {key.lower(): value for key, value in language.items()} if isinstance(language, dict) else {}
    return str(own.get("contentdir") or settings.get("contentdir") or "content")


def _first(place: Path, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if _has(place, name)), None)


def _has(place: Path, name: str) -> bool:
    return _is(Path.is_file, place / name)


def _is(kind: Callable[[Path], bool], path: Path) -> bool:
    try:
        return kind(path)
    except OSError:  # a folder above that may not be entered
        return False


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise Unreadable(f"{file} can't be read, which says what paths posts have") from None


def _parsed(file: Path, *, is_lenient: bool = False) -> dict[str, Any]:
    """A configuration's settings, none when it isn't there. Raises Unreadable, for other paths would be wrong ones."""
    if not _has(file.parent, file.name):
        return {}
    text = _text(file)
    parsed: Any
    try:
        if file.suffix == ".toml":
            parsed = tomllib.loads(text)
        else:
            parsed = json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError, RecursionError):
        if is_lenient:
            return {}
        raise Unreadable(f"{file} doesn't parse, which says what paths posts have") from None
    return parsed if isinstance(parsed, dict) else {}
