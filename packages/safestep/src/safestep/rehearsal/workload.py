"""The requests of one version of the service, with the rows that they are about."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random
from typing import Any
from uuid import uuid4

from safestep.rehearsal.http_client import SUCCESS, HttpClient, HttpResponse
from safestep.rehearsal.requests import Bindings, RequestTemplate
from safestep.rehearsal.samples import Values


@dataclass
class Request:
    """A request that can be sent: `values` are the samples of each of its names."""

    template: RequestTemplate
    values: Mapping[str, Values] = field(default_factory=dict)
    proven: deque[Bindings] = field(default_factory=deque)
    """Of a generated request, the bindings with which it succeeded; no others are sent then."""

    @property
    def name(self) -> str:
        return self.template.name

    def next_bindings(self) -> Bindings:
        """Those of the next request to send."""
        if self.proven:
            self.proven.rotate(-1)
            return self.proven[-1]
        return self.next_samples()

    def next_samples(self) -> Bindings:
        for each in self.values.values():
            each.rotate(-1)
        return {name: each[-1] for name, each in self.values.items()}


class Workload:
    """Sends requests to one version, and remembers what they created."""

    def __init__(self, client: HttpClient, credential: Mapping[str, str], requests: Iterable[Request]) -> None:
        self._client = client
        self._credential = dict(credential)
        self._run = uuid4().hex[:6]
        self._number = count()
        self.requests = list(requests)
        self.notes: list[str] = []
        """What can't be sent, and why."""
        self.created: dict[str, list[tuple[Bindings, Any]]] = defaultdict(list)
        """By collection, the keys of new rows, and the bindings of the requests that made them."""

    async def send(self, request: Request, bindings: Bindings | None = None) -> HttpResponse:
        """Raises OSError, EOFError or ValueError when there is no whole response in time."""
        template = request.template
        bound = request.next_bindings() if bindings is None else bindings
        values = {**bound, "unique": f"{self._run}{next(self._number):06x}", "uuid": str(uuid4())}
        path = template.path_with(values)
        headers = {**template.headers, **({} if template.is_anonymous else self._credential)}
        if template.needs_etag:
            headers["If-Match"] = (await self._client.send("GET", path, headers=headers)).headers.get("etag", "*")
        response = await self._client.send(template.method, path, headers=headers, body=template.body_with(values))
        if template.method == "POST" and response.status in SUCCESS:
            self._remember(template, bound, response)
        return response

    def _remember(self, template: RequestTemplate, bound: Bindings, response: HttpResponse) -> None:
        try:
            key = response.json()["id"]
        except (ValueError, KeyError, TypeError):  # it created nothing that has a key
            return
        self.created[template.collection].append((bound, key))


def requests_about(
    created: Mapping[str, Iterable[tuple[Bindings, Any]]], requests: Sequence[Request]
) -> Iterator[tuple[Request, Bindings]]:
    """Those reads and changes that can be about rows which were created elsewhere, with the bindings for it."""
    for collection, rows in created.items():
        names = {
            name
            for request in requests
            for name, owner in request.template.path_parameters.items()
            if owner == collection
        }
        for request in requests:
            owners = request.template.path_parameters
            keys = {name for name in names & request.template.names if owners.get(name, collection) == collection}
            if keys and request.template.method in ("GET", "PUT", "PATCH"):
                permitted = replace(request, template=replace(request.template, is_anonymous=False))
                for bound, key in rows:
                    yield permitted, {**request.next_bindings(), **bound, **dict.fromkeys(keys, key)}


def drawn(requests: list[Request]) -> Iterator[Request]:
    """An endless stream by weight, the same in every rehearsal."""
    source = Random(17)  # noqa: S311 - not a secret
    weights = [request.template.weight for request in requests]
    while True:
        yield from source.choices(requests, weights, k=1000)
