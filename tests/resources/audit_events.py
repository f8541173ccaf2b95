"""The audit log."""

from tests.support.accounts import API
from tests.support.resources import Many, Resource, Route

SOMEBODY = "00000000-0000-0000-0000-000000000001"
MANY = """
INSERT INTO audit_events (id, at, actor_kind, actor_id, action, entity, entity_id, changes)
SELECT gen_random_uuid(), timestamptz '2020-01-01' + n / 7 * interval '1 minute', 'user', somebody, 'user.updated',
    'user', somebody, '{}'
FROM generate_series(1, 8000) n, LATERAL (SELECT lpad(to_hex(1 + n % 20), 32, '0')::uuid AS somebody) s
"""

RESOURCE = Resource(
    tables={"audit_events": frozenset()},  # what is personal is masked before it gets here
    routes=(
        Route(
            "GET",
            f"{API}/audit-events",
            answers={200: "admin a-key+", 403: "other owner key key+ a-key", 401: "anon gone"},
            query=frozenset({"limit", "cursor", "actor_id", "action", "entity", "entity_id", "request_id"}),
            many=Many("audit_events", (MANY,), ({}, {"actor_id": SOMEBODY}, {"entity_id": SOMEBODY})),
        ),
    ),
)
