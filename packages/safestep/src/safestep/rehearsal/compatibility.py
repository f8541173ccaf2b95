"""Which requests a version answers, and how the old and the new one get along on the same schema and rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from safestep.rehearsal.load import RequestResult, attempt
from safestep.rehearsal.report import CompatibilityResult
from safestep.rehearsal.workload import Request, Workload, requests_about

REPETITIONS = 5
MAX_TRIALS = 20  # of a generated request, each with another sample: some rows may be another caller's alone
ENOUGH_PROVEN = 10  # samples with which it succeeded
FORBIDDEN = ("401", "403")


@dataclass
class Answered:
    """The requests of a version, by how it answered them. `failed` are errors of the service itself."""

    succeeded: list[Request] = field(default_factory=list)
    refused: list[tuple[Request, str]] = field(default_factory=list)
    failed: list[tuple[Request, str]] = field(default_factory=list)


async def answered(workload: Workload) -> Answered:
    """Sends each request, a generated one with several samples, of which those that succeed are kept."""
    found = Answered()
    for request in workload.requests:
        is_generated = request.template.is_generated
        fault = await _prove(request, workload) if is_generated else (await attempt(request, workload)).fault
        if fault is None:
            found.succeeded.append(request)
        else:
            (found.failed if fault.startswith("5") else found.refused).append((request, fault))
    return found


async def _prove(request: Request, workload: Workload) -> str | None:
    """Why the request can't be sent again and again, if it can't."""
    fault = None
    for _ in range(min([MAX_TRIALS, *map(len, request.values.values())]) if request.values else 1):
        bindings = request.next_samples()
        result = await attempt(request, workload, bindings=bindings)
        if result.fault is None:
            request.proven.append(bindings)
        elif fault is None or result.fault.startswith("5"):
            fault = result.fault
        if len(request.proven) == ENOUGH_PROVEN:
            break
    if not request.proven or (fault and fault.startswith("5")):
        return fault
    again = (await attempt(request, workload)).fault
    return again and f"{again}, when it is sent a second time"


async def check_alone(what: str, workload: Workload, requests: Sequence[Request]) -> CompatibilityResult:
    """Each request a few times, one after the other."""
    return _check(what, [await attempt(request, workload) for request in requests for _ in range(REPETITIONS)])


async def check_both(
    new: str, new_workload: Workload, old: str, old_workload: Workload, old_requests: Sequence[Request]
) -> list[CompatibilityResult]:
    """The new version writes on the new schema; then the old one reads and changes those rows, and writes its own."""
    found = await answered(new_workload)
    permitted = [*found.succeeded, *(request for request, fault in found.failed)]
    permitted += [
        request
        for request, fault in found.refused
        if not request.template.is_generated and not fault.startswith(FORBIDDEN)
    ]
    written = await check_alone(f"{new} on the new schema", new_workload, permitted)
    results = [await attempt(request, old_workload) for request in old_requests for _ in range(REPETITIONS)]
    for request, bindings in requests_about(new_workload.created, old_requests):
        results.append(await attempt(request, old_workload, bindings=bindings))
    return [written, _check(f"{old} on the new schema, with rows that {new} wrote", results)]


def _check(what: str, results: Iterable[RequestResult]) -> CompatibilityResult:
    results = list(results)
    faults = [f"{result.request}: {result.fault}" for result in results if result.fault]
    return CompatibilityResult(what, len(results), faults)
