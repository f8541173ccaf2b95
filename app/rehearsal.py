"""What this service's traffic looks like, for rehearsals of migrations: requests, samples, rows and a credential.

A resource that isn't named here gets its requests from the OpenAPI document. It is named when its traffic is known.
"""

import secrets
from collections.abc import Mapping

from safestep.connections import execute
from safestep.rehearsal import Command, ServiceProfile, TableProfile
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from uuid_utils.compat import uuid7

from app.core.config import Settings
from app.core.identity import Scope
from app.core.product import API_KEY_PREFIX
from app.core.security import digest, new_api_key

# How often each occurs among a hundred requests. Most who read aren't signed in.
ANONYMOUS_REQUESTS = {
    "GET /api/v1/posts?limit=20": 20,
    "GET /api/v1/posts?author_id={user_id}": 20,
    "GET /api/v1/posts/{post_id}": 35,
    "GET /api/v1/users?limit=20": 5,
}
BODY = "Some *text*. " * 60
REQUESTS = {
    f'POST /api/v1/posts {{"title": "Rehearsed", "body": "{BODY}", "author_id": "{{user_id}}"}}': 8,
    'PATCH /api/v1/posts/{post_id} {"title": "Changed {unique}"}': 10,
    'POST /api/v1/users {"email": "rehearsal-{unique}@example.com", "name": "Rehearsed"}': 2,
}
# Signing in, and what is done by mail: a rehearsal has an API key, but no password and no mailbox.
EXCLUDED = ("POST /api/v1/auth/*",)

SAMPLES = {
    # 2,000 are enough that no row is asked for too often, and a table of a million rows isn't read for them.
    "post_id": "SELECT id FROM posts WHERE published_at IS NOT NULL ORDER BY id DESC LIMIT 2000",
    "user_id": "SELECT DISTINCT author_id FROM (SELECT author_id FROM posts LIMIT 20000) AS seen LIMIT 1000",
}

WORDS = (
    "It weaves algebraic patterns just as the loom weaves flowers and leaves, and whoever reads the notes "
    "again after a year finds that the machine has learned nothing but what it was told in the meantime. "
)
TABLES = {
    "users": TableProfile(
        1 / 20,
        {
            "email": "CASE WHEN n % 10 > 0 THEN 'author' || n || '@example.com' END",
            "name": "'Author ' || n",
            "password_hash": "'$argon2id$v=19$m=19456,t=2,p=1$' || md5(n::text) || '$' || md5('x' || n)",
        },
    ),
    "posts": TableProfile(
        1.0,
        {
            "title": "'Notes, part ' || n",
            "slug": "CASE WHEN n % 5 > 0 THEN '2026/notes-' || n END",
            "body": f"left(repeat('{WORDS}', 8), 100 + ((hashint8(n)::bigint & 2147483647) % 1400)::int) || n",
        },
    ),
    "co_authorships": TableProfile(1 / 10, {"position": "1"}),
    "audit_events": TableProfile(
        1.0,
        {
            "actor_kind": "'user'",
            "action": "(ARRAY['post.created', 'post.updated', 'user.updated'])[1 + n % 3]",
            "entity": "'post'",
            "changes": "jsonb_build_object('title', jsonb_build_array('Notes', 'Notes, part ' || n))",
        },
    ),
    "api_keys": TableProfile(
        1 / 100, {"scopes": "ARRAY['posts:read', 'posts:write']", "prefix": f"'{API_KEY_PREFIX}' || n"}
    ),
    "auth_sessions": TableProfile(1 / 20),
    "refresh_tokens": TableProfile(1 / 10),
    "one_time_tokens": TableProfile(1 / 100),
    "rate_windows": TableProfile(1 / 100),
}

# Written in SQL, without today's models: the schema is the deployed one's, which may be older.
ADMIN_WITH_KEY = """
    WITH admin AS (
        INSERT INTO users (id, email, name, is_admin, email_verified_at)
        VALUES ('{admin}', 'rehearsal-{admin}@example.com', 'Rehearsal', true, now()) RETURNING id
    )
    INSERT INTO api_keys (id, user_id, name, prefix, key_hash, scopes)
    SELECT '{key}', id, 'rehearsal', '{prefix}', decode('{hash}', 'hex'), string_to_array('{scopes}', ' ') FROM admin
"""
SCOPES = [Scope.POSTS_READ, Scope.POSTS_WRITE, Scope.USERS_READ, Scope.ADMIN]


MIGRATE = Command(
    arguments=("{python}", "-m", "app.cli.main", "db", "upgrade", "{revision}"),
    # As in development: in production the command would ask before data is lost, and nobody is there to answer.
    environment={"DATABASE_URL": "{database}", "ENVIRONMENT": "development"},
)


def make_service_profile(settings: Settings) -> ServiceProfile:
    return ServiceProfile(
        serve=Command(
            # The load generator keeps its connections open. A server that closes idle ones would make requests fail
            # that the migration has nothing to do with.
            arguments=(
                *("{python}", "-m", "uvicorn", "app.main:app", "--port", "{port}"),
                *("--no-access-log", "--no-server-header", "--timeout-keep-alive", "3600"),
            ),
            environment={
                "ENVIRONMENT": "production",
                "DATABASE_URL": "{database}",
                "SECRET_KEYS": f"rehearsal:{secrets.token_urlsafe(32)}",
                "RATE_LIMITS": "false",
                "DATA_DIR": "{folder}/data",
                "LOG_LEVEL": "INFO",
            },
            # The rehearsed service sends no mail and limits nobody, whatever this environment sets for another one.
            unset=(
                "SMTP_URL",
                "PUBLIC_URL",
                "ALLOWED_HOSTS",
                "REGISTRATION",
                "PUBLIC_USERS",
                "UNVERIFIED_MAY",
                "RATE_LIMIT_STORAGE",
            ),
        ),
        migrate=MIGRATE,
        import_path=(".", "packages/*/src"),
        requests=REQUESTS,
        anonymous_requests=ANONYMOUS_REQUESTS,
        samples=SAMPLES,
        openapi="/openapi.json",
        excluded=EXCLUDED,
        credential=make_credential,
        tables=TABLES,
        protected=make_url(settings.database_url.get_secret_value()) if settings.database_url else None,
    )


async def make_credential(database: URL) -> Mapping[str, str]:
    """An administrator's API key; no header when the deployed schema knows no such keys, or others than today's."""
    secret, prefix = new_api_key()
    values = {"prefix": prefix, "hash": digest(secret).hex(), "scopes": " ".join(SCOPES)}
    try:
        await execute(database, ADMIN_WITH_KEY.format(admin=uuid7(), key=uuid7(), **values))
    except DBAPIError:
        return {}
    return {"Authorization": f"Bearer {secret}"}
