"""A version's OpenAPI document: its operations, and what they take."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")
_PARAMETER = re.compile(r"\{(\w+)\}")


def route_of(path: str) -> str:
    """What tells one route from another: the path without its query and without the names of its parameters."""
    return _PARAMETER.sub("{}", path.partition("?")[0])


def collection_of(path: str) -> str:
    """The last segment of a path that isn't a parameter, as a table would be named: `co_authors`."""
    segments = [each for each in path.partition("?")[0].split("/") if each and not _PARAMETER.search(each)]
    return segments[-1].replace("-", "_") if segments else ""


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    description: Mapping[str, Any]
    document: "OpenApiDocument"

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def creates(self) -> bool:
        return self.method == "POST" and "201" in self.description.get("responses", {})

    @property
    def body(self) -> Mapping[str, Any] | None:
        """The schema of its JSON body, if it has one."""
        content = self.document.resolve(self.description.get("requestBody", {})).get("content", {})
        media = content.get("application/json")
        return None if media is None else self.document.resolve(media.get("schema", {}))

    @property
    def has_other_body(self) -> bool:
        """Whether it takes a body that isn't JSON."""
        return "requestBody" in self.description and self.body is None

    def parameters(self, place: str) -> dict[str, Mapping[str, Any]]:
        """By name, those in `place`: `path`, `query` or `header`."""
        shared = self.document.content["paths"][self.path].get("parameters", [])
        found = [self.document.resolve(each) for each in (*shared, *self.description.get("parameters", []))]
        return {each["name"]: each for each in found if each["in"] == place}

    def required(self, place: str) -> dict[str, Mapping[str, Any]]:
        """The schemas of those that have to be sent."""
        return {name: each.get("schema", {}) for name, each in self.parameters(place).items() if each.get("required")}


class OpenApiDocument:
    """Read as far as requests need it."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content
        self._by_route = {(each.method, route_of(each.path)): each for each in self.operations()}

    def operations(self) -> Iterator[Operation]:
        for path, item in self.content["paths"].items():
            for method in METHODS:
                if method in item:
                    yield Operation(method.upper(), path, item[method], self)

    def find(self, method: str, path: str) -> Operation | None:
        """The operation that answers this request; the parameters of `path` may have other names."""
        return self._by_route.get((method, route_of(path)))

    def resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a `$ref` to another part of the document refers to."""
        while isinstance(reference := schema.get("$ref"), str):
            target: Any = self.content
            for key in reference.removeprefix("#/").split("/"):
                target = target[key.replace("~1", "/").replace("~0", "~")]
            schema = target
        return schema
