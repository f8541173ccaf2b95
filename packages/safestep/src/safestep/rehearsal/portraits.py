"""What the service's own tables look like in life: how many rows beside a million posts, and what stands in them.

A column that isn't named here gets a value for its type; one that the deployed schema doesn't have is left out.
"""

from dataclasses import dataclass, field

from safestep.rehearsal.values import HASH

WORDS = (
    "It weaves algebraic patterns just as the loom weaves flowers and leaves, and whoever reads the notes "
    "again after a year finds that the machine has learned nothing but what it was told in the meantime. "
)


@dataclass(frozen=True)
class Portrait:
    """`share` is the part of `--rows`; a column's SQL may use the row's number `n` and the number of rows `total`."""

    share: float = 1.0
    columns: dict[str, str] = field(default_factory=dict)


PORTRAITS = {
    "users": Portrait(
        1 / 20,
        {
            "email": "CASE WHEN n % 10 > 0 THEN 'author' || n || '@example.com' END",
            "name": "'Author ' || n",
            "password_hash": "'$argon2id$v=19$m=19456,t=2,p=1$' || md5(n::text) || '$' || md5('x' || n)",
        },
    ),
    "posts": Portrait(
        1.0,
        {
            "title": "'Notes, part ' || n",
            "slug": "CASE WHEN n % 5 > 0 THEN '2026/notes-' || n END",
            "body": f"left(repeat('{WORDS}', 8), 100 + ({HASH.format(salt=1)} % 1400)::int) || n",
        },
    ),
    "co_authorships": Portrait(1 / 10, {"position": "1"}),
    "audit_events": Portrait(
        1.0,
        {
            "actor_kind": "'user'",
            "action": "(ARRAY['post.created', 'post.updated', 'user.updated'])[1 + n % 3]",
            "entity": "'post'",
            "changes": """jsonb_build_object('title', jsonb_build_array('Notes', 'Notes, part ' || n))""",
        },
    ),
    "api_keys": Portrait(1 / 100, {"scopes": "ARRAY['posts:read', 'posts:write']", "prefix": "'postern_' || n"}),
    "auth_sessions": Portrait(1 / 20),
    "refresh_tokens": Portrait(1 / 10),
    "one_time_tokens": Portrait(1 / 100),
    "rate_windows": Portrait(1 / 100),
}
# One in ten is NULL where a column may be; a date of publication that is missing makes a draft.
NULL_EVERY = 10
