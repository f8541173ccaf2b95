"""The statements of the limit, and what is made of their rows."""

from typing import Any

from asyncpg import Record

USER = "SELECT id, name FROM users WHERE id = $1"

_SUMMARY = "p.id, p.title, p.slug, p.published_at, p.created_at, p.updated_at, u.id AS author_id, u.name AS author_name"
POST = f"SELECT {_SUMMARY}, p.body FROM posts p JOIN users u ON u.id = p.author_id WHERE p.id = $1"  # noqa: S608 - constants alone
LIST = f"""SELECT {_SUMMARY} FROM posts p JOIN users u ON u.id = p.author_id
WHERE p.published_at IS NOT NULL ORDER BY p.published_at DESC, p.id DESC LIMIT $1"""  # noqa: S608 - constants alone
CREATE = f"""WITH p AS (
    INSERT INTO posts (id, author_id, title, body) VALUES ($1, $2, $3, $4) RETURNING *
) SELECT {_SUMMARY}, p.body FROM p JOIN users u ON u.id = p.author_id"""  # noqa: S608 - constants alone


def post(row: Record) -> dict[str, Any]:
    made = dict(row)
    made["author"] = {"id": made.pop("author_id"), "name": made.pop("author_name")}
    return made
