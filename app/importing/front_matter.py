"""Front matter: the fields above a Markdown text, as TOML between +++ or YAML between ---."""

import re
import tomllib
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from frontmatter.default_handlers import BaseHandler, YAMLHandler


class Unreadable(Exception):
    """One source that can't be imported; its text says why, in one line."""


# Fields that are text whatever they look like (`title: 2020`, `slug: 1.10`), and what YAML would take them for.
TEXTS = frozenset({"title", "author", "authors", "name", "path", "slug", "permalink", "url"})
LOOKS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool", "timestamp"))


class FrontMatterLoader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in TEXTS and value.tag in LOOKS:
                value.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep)


class FrontMatterHandler(YAMLHandler):
    def load(self, fm: str, **_: object) -> Any:
        return super().load(fm, Loader=FrontMatterLoader)


class TOMLHandler(BaseHandler):
    """The library's own handler wants the abandoned `toml` package; the standard library parses TOML."""

    FM_BOUNDARY = re.compile(r"^\+{3}\s*$", re.MULTILINE)
    START_DELIMITER = END_DELIMITER = "+++"

    def load(self, fm: str) -> dict[str, Any]:
        return tomllib.loads(fm)


HANDLERS = (TOMLHandler(), FrontMatterHandler())
MAX_BYTES = 5_000_000  # a body has a million characters at most
BLANK_LINES = re.compile(r"\A(?:[ \t]*\n)+")


def read_front_matter(file: Path) -> tuple[dict[str, Any], str]:
    """The fields and the text below them. Raises Unreadable, or OSError."""
    try:
        if file.stat().st_size > MAX_BYTES:
            raise Unreadable(f"larger than {MAX_BYTES} bytes")
        text = BLANK_LINES.sub("", file.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise Unreadable("not UTF-8 text") from None
    handler = next((each for each in HANDLERS if each.detect(text)), None)
    if handler is None:
        raise Unreadable("no front matter: expected +++ (TOML) or --- (YAML) on the first line")
    try:
        matter, body = handler.split(text)
    except ValueError:
        raise Unreadable(f"the front matter has no end: expected another {handler.END_DELIMITER}") from None
    try:
        fields = handler.load(matter)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise Unreadable(f"front matter doesn't parse: {reason}") from None
    if not isinstance(fields, dict):
        raise Unreadable("front matter is not a table of fields")
    return fields, body.lstrip("\n")
