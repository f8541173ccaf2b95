"""The audit log: /api/v1/audit-events."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.deps import Reads
from app.api.errors import problems
from app.api.identity import Admin
from app.core.errors import Forbidden, NotAuthenticated, ScopeMissing
from app.schemas.audit_events import AuditEventQuery, AuditEventRead
from app.schemas.pages import Page

router = APIRouter(prefix="/audit-events", tags=["audit"])


@router.get(
    "",
    status_code=200,
    summary="List what was changed, newest first",
    responses=problems(NotAuthenticated, Forbidden, ScopeMissing),
)
async def list_audit_events(
    query: Annotated[AuditEventQuery, Query()], reads: Reads, _admin: Admin
) -> Page[AuditEventRead]:
    return await reads.audit_events.list_events(query)
