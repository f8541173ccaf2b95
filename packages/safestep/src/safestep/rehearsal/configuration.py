"""What a rehearsal has to know of the service: one object, made by the project."""

import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.engine import URL

_NAME = re.compile(r"\{(\w+)\}")


async def no_credential(_database: URL) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, kw_only=True)
class Command:
    """A process to start. In arguments and values, `{python}` is this interpreter, `{database}` the URL of the
    database, `{folder}` a temporary folder; a service has its `{port}`, a migration its `{revision}`.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=lambda: {"DATABASE_URL": "{database}"})
    """Added to the environment of whoever rehearses."""
    unset: Collection[str] = ()
    """What in that environment is meant for another service."""

    def arguments_with(self, values: Mapping[str, str]) -> list[str]:
        return [_filled(each, values) for each in self.arguments]

    def environment_with(self, values: Mapping[str, str]) -> dict[str, str]:
        return {name: _filled(text, values) for name, text in self.environment.items()}


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _NAME.sub(lambda found: values.get(found[1], found[0]), text)


ALEMBIC = Command(arguments=("{python}", "-m", "alembic", "upgrade", "{revision}"))


@dataclass(frozen=True)
class TableProfile:
    """What a table looks like in production. A column that isn't named gets a value for its type."""

    share: float = 1.0
    """How many rows it has for each one of `--rows`."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """SQL for a column; it may use the number `n` of the row, counted from 1, and the number of rows `total`."""


@dataclass(frozen=True, kw_only=True)
class ServiceProfile:
    """The service: how it runs and what its traffic is.

    A request is a line: method, path with query, and for those that have one a body in JSON, as in
    `POST /notes {"text": "Note {unique}", "author_id": "{author_id}"}`. `{unique}` is different in every request,
    `{uuid}` a new UUID, and any other name stands for a value of `samples`. A name without samples is looked up in
    the database: `{id}` in `/notes/{id}` is a key of the table `notes`, `{author_id}` what a foreign key of that name
    refers to.
    """

    serve: Command
    """Runs one version of the service on the loopback interface; its working directory is a temporary folder."""
    migrate: Command = ALEMBIC
    """Brings the database to a revision; it runs in the folder of the checked-out code."""
    import_path: Sequence[str] = (".",)
    """Folders of the code that are imported from, as patterns; a version imports its own and nobody else's."""
    requests: Mapping[str, float] = field(default_factory=dict)
    """Requests and how often each occurs, in parts of all; they carry the credential."""
    anonymous_requests: Mapping[str, float] = field(default_factory=dict)
    """The same without the credential."""
    samples: Mapping[str, str] = field(default_factory=dict)
    """SQL that selects one column of values for each name; a few hundred rows are enough."""
    openapi: str | None = None
    """The path of the service's OpenAPI document, from which what isn't listed in `requests` gets its requests."""
    excluded: Collection[str] = ()
    """Requests that aren't made from that document, as patterns such as `POST /auth/*`. DELETE is never made."""
    credential: Callable[[URL], Awaitable[Mapping[str, str]]] = no_credential
    """Makes the headers by which the service knows its caller, with rows of their own in the database."""
    tables: Mapping[str, TableProfile] = field(default_factory=dict)
    """Tables of which more is known than their types."""
    protected: URL | None = None
    """The service's own database, which `--url` refuses."""
