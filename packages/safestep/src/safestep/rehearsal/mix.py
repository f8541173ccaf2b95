"""Which requests are sent: what a version of the service offers, by its OpenAPI document, weighted like traffic."""

import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import uuid4

from safestep.rehearsal.client import SUCCESS, Answer, Client

API = "/api/v1"


@dataclass
class Rows:
    """Rows that requests are about, and the credential they carry."""

    posts: deque[str]
    authors: deque[str]
    credential: str | None = None

    def post(self) -> str:
        """Each in turn, so that two changes at once are about different posts."""
        self.posts.rotate()
        return self.posts[0]

    def author(self) -> str:
        self.authors.rotate()
        return self.authors[0]


@dataclass(frozen=True)
class Kind:
    """A kind of request and how often it occurs, in parts of all."""

    name: str
    weight: int
    operation: str
    send: Callable[["Requests"], Awaitable[Answer]]
    needs_post: bool = False
    needs_author: bool = False


@dataclass
class Requests:
    """Sends requests to one version of the service, and keeps the ids of what it made."""

    client: Client
    contract: dict[str, Any]
    rows: Rows
    made_posts: list[str] = field(default_factory=list)
    made_authors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        credential = self.rows.credential
        self._headers = {"Authorization": f"Bearer {credential}"} if credential else {}
        self._number = count()
        self._run = uuid4().hex[:8]

    def kinds(self) -> list[Kind]:
        """Those that this version offers; every other list that asks for nothing joins them."""
        offered = [kind for kind in KINDS if self._operation(kind.operation) is not None and self._has_rows(kind)]
        return [*offered, *self._other_lists()]

    def _has_rows(self, kind: Kind) -> bool:
        return bool((self.rows.posts or not kind.needs_post) and (self.rows.authors or not kind.needs_author))

    def _other_lists(self) -> Iterator[Kind]:
        known = {kind.operation for kind in KINDS}
        for path, operations in self.contract["paths"].items():
            operation = operations.get("get")
            if not operation or "{" in path or not path.startswith(API) or f"get {path}" in known:
                continue
            if not any(parameter.get("required") for parameter in operation.get("parameters", [])):
                yield Kind(f"GET {path}", 2, f"get {path}", getting(path))

    def _operation(self, name: str) -> dict[str, Any] | None:
        method, _, path = name.partition(" ")
        found: dict[str, Any] | None = self.contract["paths"].get(path, {}).get(method)
        return found

    async def get(self, path: str) -> Answer:
        return await self.client.send("GET", path, headers=self._headers)

    async def look(self, path: str) -> Answer:
        """As somebody who isn't signed in, like most who read."""
        return await self.client.send("GET", path)

    async def create_post(self) -> Answer:
        body = {"title": "Rehearsed", "body": "Some *text*. " * 60, "author_id": self.rows.author()}
        answer = await self._write("post", f"{API}/posts", f"{API}/posts", body)
        if answer.status in SUCCESS:
            self.made_posts.append(answer.json()["id"])
        return answer

    async def change_post(self, post: str | None = None) -> Answer:
        post = post or self.rows.post()
        headers = {}
        template = f"{API}/posts/{{post_id}}"
        if any(
            each["name"].lower() == "if-match"
            for each in (self._operation(f"patch {template}") or {}).get("parameters", [])
        ):
            headers = {"If-Match": (await self.get(f"{API}/posts/{post}")).headers.get("etag", "*")}
        return await self._write(
            "patch", template, f"{API}/posts/{post}", {"title": f"Changed {next(self._number)}"}, headers
        )

    async def register(self) -> Answer:
        body = {"email": f"rehearsal-{self._run}-{next(self._number)}@example.com", "name": "Rehearsed"}
        answer = await self._write("post", f"{API}/users", f"{API}/users", body)
        if answer.status in SUCCESS:
            self.made_authors.append(answer.json()["id"])
        return answer

    async def _write(
        self, method: str, template: str, path: str, body: Mapping[str, object], headers: dict[str, str] | None = None
    ) -> Answer:
        """Sends the fields that this version knows."""
        known = self._fields(self._operation(f"{method} {template}") or {})
        body = {name: text for name, text in body.items() if name in known}
        return await self.client.send(method.upper(), path, headers=self._headers | (headers or {}), body=body)

    def _fields(self, operation: dict[str, Any]) -> set[str]:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        if reference := schema.get("$ref"):
            schema = self.contract["components"]["schemas"][reference.rpartition("/")[2]]
        return set(schema.get("properties", {}))


def getting(path: str) -> Callable[[Requests], Awaitable[Answer]]:
    return lambda requests: requests.get(path)


def looking(path: str) -> Callable[[Requests], Awaitable[Answer]]:
    return lambda requests: requests.look(path)


KINDS = (
    Kind("list posts", 20, f"get {API}/posts", looking(f"{API}/posts?limit=20")),
    Kind(
        "list an author's posts",
        20,
        f"get {API}/posts",
        lambda requests: requests.look(f"{API}/posts?author_id={requests.rows.author()}"),
        needs_author=True,
    ),
    Kind(
        "read a post",
        35,
        f"get {API}/posts/{{post_id}}",
        lambda requests: requests.look(f"{API}/posts/{requests.rows.post()}"),
        needs_post=True,
    ),
    Kind("list users", 5, f"get {API}/users", looking(f"{API}/users?limit=20")),
    Kind("create a post", 8, f"post {API}/posts", lambda requests: requests.create_post(), needs_author=True),
    Kind(
        "change a post", 10, f"patch {API}/posts/{{post_id}}", lambda requests: requests.change_post(), needs_post=True
    ),
    Kind("register", 2, f"post {API}/users", lambda requests: requests.register()),
)


def chosen(kinds: list[Kind]) -> Iterator[Kind]:
    """An endless stream, the same in every rehearsal."""
    source = random.Random(17)  # noqa: S311 - not a secret
    weights = [kind.weight for kind in kinds]
    while True:
        yield from source.choices(kinds, weights, k=1000)
