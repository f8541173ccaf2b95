"""What Prometheus scrapes."""

from functools import partial

from anyio import to_thread
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app.api.errors import problems
from app.api.health import ProcessReadiness
from app.api.operators import Operator
from app.core.errors import NotAuthenticated
from app.core.metrics import exposition

router = APIRouter(include_in_schema=False)


@router.get(
    "/metrics",
    response_class=Response,
    status_code=200,
    summary="Metrics of all workers, for operators",
    responses=problems(NotAuthenticated),
)
async def metrics(operator: Operator, readiness: ProcessReadiness) -> Response:
    if not operator:
        raise NotAuthenticated
    audit_rows = await readiness.audit_rows()
    return Response(
        await to_thread.run_sync(partial(exposition, audit_rows=audit_rows)), media_type=CONTENT_TYPE_LATEST
    )
