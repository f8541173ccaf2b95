"""The audit log."""

from tests.support.accounts import API
from tests.support.resources import Resource, Route

RESOURCE = Resource(
    tables={"audit_events": frozenset()},  # what is personal is masked before it gets here
    routes=(
        Route(
            "GET",
            f"{API}/audit-events",
            answers={200: "admin a-key+", 403: "other owner key key+ a-key", 401: "anon gone"},
            query=frozenset({"limit", "cursor", "actor_id", "action", "entity", "entity_id", "request_id"}),
        ),
    ),
)
