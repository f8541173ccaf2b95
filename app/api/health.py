"""What load balancers, Kubernetes and operators ask. Neither answer waits for a connection that requests use."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app.api.errors import problems
from app.api.operators import Operator
from app.schemas.health import Liveness, ReadinessRead
from app.services.readiness import Readiness

router = APIRouter(prefix="/health", include_in_schema=False)


async def get_readiness(request: Request) -> Readiness:
    readiness: Readiness = request.app.state.readiness
    return readiness


ProcessReadiness = Annotated[Readiness, Depends(get_readiness)]


@router.get(
    "/live", response_model=Liveness, status_code=200, summary="Whether the process answers", responses=problems()
)
async def live() -> Liveness:
    return Liveness()


@router.get(
    "/ready",
    response_model=ReadinessRead,
    response_model_exclude_none=True,
    status_code=200,
    summary="Whether it should get requests: 200, or 503 with the reasons for operators",
    responses=problems(),
)
async def ready(response: Response, operator: Operator, readiness: ProcessReadiness) -> ReadinessRead:
    reasons = await readiness.reasons()
    if reasons:
        response.status_code = 503
    return ReadinessRead(status="not_ready" if reasons else "ready", reasons=reasons if operator else None)
