"""A post's path by its generator's own rules.

Jekyll: https://jekyllrb.com/docs/permalinks/, Hugo: https://gohugo.io/content-management/urls/,
Zola: https://www.getzola.org/documentation/content/page/, Eleventy: https://www.11ty.dev/docs/data-eleventy-supplied/
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from app.importing.front_matter import Unreadable
from app.importing.sites import JEKYLL_FOLDERS, Site

_DATED = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})[-_](.+)")
_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_PLACEHOLDER = re.compile(r":([a-z_]+)")
_DATE_FORMS = {
    "year": "%Y",
    "short_year": "%y",
    "month": "%m",
    "day": "%d",
    "y_day": "%j",
    "yearday": "%j",
    "monthname": "%B",
    "short_month": "%b",
}
STYLES = {
    "date": "/:categories/:year/:month/:day/:title",
    "pretty": "/:categories/:year/:month/:day/:title",
    "ordinal": "/:categories/:year/:y_day/:title",
    "none": "/:categories/:title",
}


def path_of(file: Path, fields: Mapping[str, Any], site: Site) -> str:
    """Raises Unreadable when the site's template asks for what isn't known here."""
    if given := _text(fields.get("path")):
        return given.strip("/")
    place = file.relative_to(site.root)
    own = fields.get("url" if site.generator == "hugo" else "permalink")
    if isinstance(own, str) and own.strip("/") and not (site.generator == "jekyll" and (":" in own or own in STYLES)):
        return _trimmed(own)
    return _trimmed(RULES[site.generator](place, fields, site))


def _jekyll(place: Path, fields: Mapping[str, Any], site: Site) -> str:
    stem = ((dated := _DATED.fullmatch(place.stem)) and dated[4]) or place.stem
    inner = place.parts[: next(at for at, part in enumerate(place.parts) if part in JEKYLL_FOLDERS)]
    categories = [*(inner if "categories_in_path" in site.config else ()), *_listed(fields.get("category"))]
    given = fields.get("categories")
    categories += given.split() if isinstance(given, str) else _listed(given)
    title = _hyphenated(_text(fields.get("slug")) or stem)
    template = _text(fields.get("permalink")) or _text(site.config.get("permalink")) or "date"
    parts = {
        "categories": "/".join(dict.fromkeys(_hyphenated(name).lower() for name in categories if name)),
        "title": title,
        "slug": title.lower(),
        "name": _hyphenated(stem),
        "collection": "posts",
        "output_ext": "",
    }
    return _expanded(STYLES.get(template, template), parts | _date_parts(_day(place, fields)))


def _hugo(place: Path, fields: Mapping[str, Any], site: Site) -> str:
    inner, stem = _inner(place)
    if ":filename" in _listed(_table(site.config.get("frontmatter")).get("date")):
        stem = _without_date(stem)
    section = inner.parts[0] if inner.parts else ""
    permalinks = _table(site.config.get("permalinks"))
    template = _text(_table(permalinks.get("page")).get(section)) or _text(permalinks.get(section))
    slug = _text(fields.get("slug")).strip("/")
    if not template:
        return _urlized((inner / (slug or stem)).as_posix())
    title = _text(fields.get("title")) or stem
    parts = {
        "section": section,
        "sections": inner.as_posix(),
        "title": title,
        "slug": slug or title,
        **dict.fromkeys(("filename", "contentbasename"), stem),
        **dict.fromkeys(("slugorfilename", "slugorcontentbasename"), slug or stem),
    }
    parts = {name: _urlized(part) for name, part in parts.items()}
    return _expanded(template, parts | _date_parts(_day(place, fields)))


def _zola(place: Path, fields: Mapping[str, Any], site: Site) -> str:
    inner, stem = _inner(place)
    stem = _text(fields.get("slug")) or _without_date(stem)
    if _table(site.config.get("slugify")).get("paths", "on") == "on":
        stem = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-") or stem
    return (inner / stem).as_posix()


def _eleventy(place: Path, fields: Mapping[str, Any], _site: Site) -> str:
    inner, stem = _inner(place)
    return (inner / (_text(fields.get("slug")) or _without_date(stem)).strip("/")).as_posix()


def _plain(place: Path, fields: Mapping[str, Any], _site: Site) -> str:
    inner, stem = _inner(place)
    return f"{inner.as_posix()}/{(_text(fields.get('slug')) or stem).strip('/')}".removeprefix("./")


RULES: Mapping[str, Callable[[Path, Mapping[str, Any], Site], str]] = {
    "jekyll": _jekyll,
    "hugo": _hugo,
    "zola": _zola,
    "eleventy": _eleventy,
    "none": _plain,
}


def _inner(place: Path) -> tuple[Path, str]:
    """The folders of a post and its name: that of its folder for a bundle's `index.md`."""
    if place.stem == "index" and place.parent.name:
        return place.parent.parent, place.parent.name
    return place.parent, place.stem


def _day(place: Path, fields: Mapping[str, Any]) -> date | None:
    """As it is written, in whichever zone, else from the name of the file or of its bundle."""
    given = fields.get("date") or fields.get("published_at")
    if isinstance(given, date):
        return given
    found = _DAY.match(_text(given)) or _DATED.fullmatch(_inner(place)[1])
    try:
        return date(*map(int, found.groups()[:3])) if found else None
    except ValueError:  # digits that are no date
        return None


def _date_parts(day: date | None) -> dict[str, str]:
    if day is None:
        return dict.fromkeys((*_DATE_FORMS, "i_month", "i_day"), "")
    return {name: day.strftime(form) for name, form in _DATE_FORMS.items()} | {
        "i_month": str(day.month),
        "i_day": str(day.day),
    }


def _expanded(template: str, parts: Mapping[str, str]) -> str:
    def part(found: re.Match[str]) -> str:
        if found[1] not in parts:
            raise Unreadable(f"the permalink {template} asks for :{found[1]}, which isn't known here")
        return parts[found[1]]

    return _PLACEHOLDER.sub(part, template)


def _trimmed(path: str) -> str:
    """Without the file that a server answers with, and with single slashes."""
    path = re.sub(r"(^|/)index\.html$|\.html$", "", path)
    return re.sub(r"/{2,}", "/", path).strip("/")


def _text(value: Any) -> str:
    """Nothing for lists and tables: what they hold may be named a billion times over."""
    return str(value) if isinstance(value, str | int | float) else ""


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _listed(value: Any) -> list[str]:
    return [_text(each) for each in value] if isinstance(value, list) else [_text(value)]


def _without_date(stem: str) -> str:
    return dated[4] if (dated := _DATED.fullmatch(stem)) else stem


def _hyphenated(text: str) -> str:
    return re.sub(r"[^\w.~@+-]+", "-", text).strip("-")


def _urlized(text: str) -> str:
    return re.sub(r"[^\w.~@+/-]", "", re.sub(r"\s+", "-", text.strip())).lower()
