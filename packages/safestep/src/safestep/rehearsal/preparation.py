"""Makes the workload of a version: the requests that the project lists, and others from the OpenAPI document."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatch
from typing import Any
from urllib.parse import quote

from safestep.rehearsal.bodies import BodyMaker, CannotMake
from safestep.rehearsal.configuration import ServiceProfile
from safestep.rehearsal.http_client import HttpClient
from safestep.rehearsal.openapi import OpenApiDocument, Operation, route_of
from safestep.rehearsal.requests import RequestTemplate, parse
from safestep.rehearsal.samples import Samples, Values
from safestep.rehearsal.workload import Request, Workload

READ_WEIGHT, WRITE_WEIGHT = 2.0, 1.0  # of requests that nobody weighed


async def workload_of(
    client: HttpClient,
    document: OpenApiDocument | None,
    profile: ServiceProfile,
    samples: Samples,
    credential: Mapping[str, str],
) -> Workload:
    """`document` tells what the version offers; without one it is taken to offer what the project lists.

    Raises RehearsalError when a listed request can't be read.
    """
    workload = Workload(client, credential, [])
    templates = list(listed(profile, document, samples))
    if document:
        for operation in others(document, profile):
            try:
                templates.append(generated(operation, samples))
            except CannotMake as error:
                workload.notes.append(f"not sent: {operation.name}: {error}")
    for template in templates:
        values = {name: await _values(name, template, samples) for name in template.names}
        missing = [name + _because(samples.faults.get(name)) for name, found in sorted(values.items()) if not found]
        if missing:
            workload.notes.append(f"not sent: {template.name}: there are no rows for {', '.join(missing)}")
        else:
            workload.requests.append(Request(template, _apart(values)))
    return workload


async def _values(name: str, template: RequestTemplate, samples: Samples) -> Values:
    if owner := template.path_parameters.get(name):
        return await samples.of_path(name, owner)
    return await samples.of_field(name, template.collection)


def _apart(values: Mapping[str, Values]) -> dict[str, Values]:
    """Two names of a request that stand for rows of one table begin at different rows."""
    copies = {name: found.copy() for name, found in sorted(values.items())}
    for number, each in enumerate(copies.values()):
        each.rotate(-number)
    return copies


def _because(fault: str | None) -> str:
    return f" ({fault})" if fault else ""


def listed(profile: ServiceProfile, document: OpenApiDocument | None, samples: Samples) -> Iterator[RequestTemplate]:
    """The project's own requests, as far as this version offers them."""
    for is_anonymous, requests in ((False, profile.requests), (True, profile.anonymous_requests)):
        for line, weight in requests.items():
            template = parse(line, weight, is_anonymous=is_anonymous)
            if document is None:
                yield template
            elif operation := document.find(template.method, template.path):
                yield _adapted(template, operation, samples)


def _adapted(template: RequestTemplate, operation: Operation, samples: Samples) -> RequestTemplate:
    """The body without fields that this version doesn't know, and with those that only it requires."""
    schema = operation.body
    if schema is not None and isinstance(template.body, dict) and "properties" in schema:
        body = {name: value for name, value in template.body.items() if name in schema["properties"]}
        maker = _maker(operation, samples)
        for name in set(schema.get("required", [])) - body.keys():
            try:
                body[name] = maker.value(schema["properties"].get(name, {}), name)
            except CannotMake:
                continue  # the service says itself what it lacks
        template = replace(template, body=body)
    return replace(template, needs_etag=_needs_etag(operation))


def others(document: OpenApiDocument, profile: ServiceProfile) -> Iterator[Operation]:
    """Operations that no listed request is for. Nothing is deleted that nobody said may be."""
    lines = [parse(line, 0) for line in (*profile.requests, *profile.anonymous_requests)]
    known = {(each.method, route_of(each.path)) for each in lines}
    for operation in document.operations():
        is_excluded = any(fnmatch(operation.name, pattern) for pattern in profile.excluded)
        if (
            operation.method != "DELETE"
            and not is_excluded
            and (operation.method, route_of(operation.path)) not in known
        ):
            yield operation


def generated(operation: Operation, samples: Samples) -> RequestTemplate:
    """A request made from what the document says. Raises CannotMake."""
    if operation.has_other_body:
        raise CannotMake("its body isn't JSON")
    if operation.method == "POST" and not operation.creates:
        raise CannotMake("the document doesn't say that it creates something (201)")
    maker = _maker(operation, samples)
    body = None
    if (schema := operation.body) is not None:
        body = maker.change(schema) if operation.method == "PATCH" else maker.whole(schema)
    query = {name: maker.value(each, name) for name, each in operation.required("query").items()}
    headers = {name: maker.value(each, name) for name, each in operation.required("header").items()}
    return RequestTemplate(
        operation.method,
        operation.path + _query(query),
        body,
        {name: str(each) for name, each in headers.items() if name.lower() != "if-match"},
        READ_WEIGHT if operation.method == "GET" else WRITE_WEIGHT,
        is_generated=True,
        needs_etag=_needs_etag(operation),
    )


def _maker(operation: Operation, samples: Samples) -> BodyMaker:
    collection = RequestTemplate(operation.method, operation.path).collection
    return BodyMaker(operation.document, lambda name: samples.is_key(name, collection))


def _query(values: Mapping[str, Any]) -> str:
    """Names in braces stay: their values are quoted when they are there."""
    return "?" + "&".join(f"{name}={quote(str(each), safe='{}')}" for name, each in values.items()) if values else ""


def _needs_etag(operation: Operation) -> bool:
    return any(name.lower() == "if-match" for name in operation.parameters("header"))
