"""Reading the audit log."""

from app.repos.audit_events import FILTERS, AuditEventReadRepo
from app.schemas.audit_events import AuditEventQuery, AuditEventRead
from app.schemas.pages import Page


class AuditEventReadService:
    def __init__(self, events: AuditEventReadRepo) -> None:
        self._events = events

    async def list_events(self, query: AuditEventQuery) -> Page[AuditEventRead]:
        filters = query.model_dump(include=set(FILTERS), exclude_none=True)
        rows = await self._events.page(after=query.after, limit=query.limit + 1, filters=filters)
        return Page[AuditEventRead].of(rows, query.limit, at=lambda row: row.at)
