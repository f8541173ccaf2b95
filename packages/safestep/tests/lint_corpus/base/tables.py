"""The tables in use that the other revisions of the corpus change, each of them alone."""

from alembic import op

revision = "tables"
down_revision = None


def upgrade() -> None:
    op.execute("CREATE TABLE users (id uuid PRIMARY KEY, email varchar(320), name varchar(200))")
    op.execute("""
        CREATE TABLE posts (
            id uuid PRIMARY KEY, author_id uuid, slug varchar(300), title varchar(200), views integer,
            created_at timestamptz, body text CHECK (char_length(body) < 1000000)
        )
    """)
    op.execute("CREATE INDEX ix_posts_slug ON posts (slug)")
    op.execute("CREATE TABLE tags (id uuid, name text)")
    op.execute("CREATE TABLE visits (at date, path text) PARTITION BY RANGE (at)")
    op.execute("CREATE TABLE visits_2025 PARTITION OF visits FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')")
    op.execute("CREATE TABLE visits_2026 (at date, path text)")
    op.execute("CREATE TYPE state AS ENUM ('draft', 'published')")
    op.execute("CREATE DOMAIN short AS text")
    op.execute("CREATE DOMAIN address AS text CHECK (value LIKE '%@%')")
    op.execute("CREATE DOMAIN work_address AS address")
    op.execute("CREATE TYPE span AS RANGE (subtype = float8)")
    op.execute("CREATE TYPE pair AS (a integer, b integer)")
    op.execute("CREATE SEQUENCE numbers")
    op.execute("CREATE VIEW slugs AS SELECT slug FROM posts")
    op.execute("CREATE MATERIALIZED VIEW counts AS SELECT author_id, count(*) FROM posts GROUP BY 1")
    op.execute("CREATE INDEX ix_users_mailed ON users (email) WHERE email <> ''")
    op.execute("CREATE INDEX ix_users_name_lower ON users (lower(name))")
    op.execute("""
        CREATE TABLE members (
            id uuid PRIMARY KEY, name text CONSTRAINT uq_members_name UNIQUE, price numeric(10, 2), network cidr,
            CONSTRAINT ck_members_name CHECK (name <> '')
        )
    """)
    op.execute("CREATE UNIQUE INDEX uq_members_name_lower ON members (lower(name))")
    op.execute("CREATE TABLE places (kind text NOT NULL) PARTITION BY LIST (kind)")
    op.execute("CREATE TABLE places_rest PARTITION OF places DEFAULT")
    op.execute("CREATE DOMAIN token AS uuid DEFAULT gen_random_uuid()")
