"""The drill "remove posts": delete the stem and the places that the guide names; a service of users is left."""

import ast

from tests.drills.checkout import Checkout, drill

# The stem in every layer, the import of posts, their tests and their description.
STEM = (
    "app/api/routes/posts.py",
    "app/cli/imports.py",
    "app/db/models/co_authorship.py",
    "app/db/models/post.py",
    "app/importing",
    "app/repos/authors.py",
    "app/repos/imported_posts.py",
    "app/repos/posts.py",
    "app/schemas/imports.py",
    "app/schemas/posts.py",
    "app/services/imports.py",
    "app/services/posts.py",
    "tests/ha/test_backup.py",
    "tests/ha/test_pgbouncer.py",
    "tests/integration/imports",
    "tests/integration/posts",
    "tests/resources/posts.py",
    "tests/unit/test_services.py",
)

# Definitions elsewhere that serve posts alone.
DEFINITIONS = {
    "app/core/errors.py": ("PostNotFound", "SlugTaken", "AuthorUnknown"),
    "app/core/identity.py": ("Scope.POSTS_READ", "Scope.POSTS_WRITE"),
    "app/db/models/user.py": ("User.posts",),
    "app/rehearsal.py": ("SAMPLES.post_id", "TABLES.posts", "TABLES.co_authorships"),
    "app/repos/users.py": ("UserRepo.find_authors",),
    "app/wiring.py": ("Reads.posts", "Writes.posts", "make_import_service"),
}

# Lines that name posts.
LINES = (
    ("app/cli/main.py", r"imports\.import_posts"),
    ("app/wiring.py", r"\"authors\": AuthorReadRepo"),
    ("app/db/models/user.py", r"TYPE_CHECKING|import Post$"),
    ("app/rehearsal.py", r"/api/v1/posts"),
    ("README.md", r"\$API/posts|^  -d '\{\"title\"|^\{\"id\":.*\"title\"|^\{\"items\"|^\{\"type\""),
)
REPLACED = (
    ("app/core/config.py", '"authors", "everybody", "nobody"] = "authors"', '"everybody", "nobody"] = "everybody"'),
    ("app/services/users.py", "public: AuthorReadRepo | UserReadRepo", "public: UserReadRepo"),
    ("app/services/users.py", "Caller | None) -> AuthorReadRepo | UserReadRepo", "Caller | None) -> UserReadRepo"),
    ("app/services/users.py", "row: AuthorRow", "row: UserRow"),
    ("app/services/users.py", "from app.repos.authors import AuthorReadRepo, AuthorRow\n", ""),
    ("app/services/users.py", "import UserReadRepo\n", "import UserReadRepo, UserRow\n"),
    ("app/wiring.py", "AuthorReadRepo | UserReadRepo", "UserReadRepo"),
    ("app/cli/main.py", "import imports, serve", "import serve"),
    (
        "app/rehearsal.py",
        "SELECT DISTINCT author_id FROM (SELECT author_id FROM posts LIMIT 20000) AS seen",
        "SELECT id FROM users",
    ),
    ("app/rehearsal.py", "ARRAY['posts:read', 'posts:write']", "ARRAY['users:read']"),
    ("app/rehearsal.py", "Scope.POSTS_READ, Scope.POSTS_WRITE, ", ""),
    ("pyproject.toml", "app.repos | app.importing", "app.repos"),
    ("pyproject.toml", '"app.importing", ', ""),
)


def remove_posts(checkout: Checkout) -> None:
    checkout.delete(*STEM)
    for path, names in DEFINITIONS.items():
        checkout.forget(path, *names)
    for path, line in LINES:
        checkout.cut(path, line)
    for path, old, new in REPLACED:
        checkout.replace(path, old, new)
    checkout.tidy()
    checkout.revision("without posts", contract)


def contract(revision: str) -> str:
    """What its author amends: no code uses the tables any more, their data goes with them, and so do their indexes.

    Alembic writes the tables in no particular order; the one that refers to the other goes first, and comes back last.
    """
    upgrade, downgrade = (body(revision, name) for name in ("upgrade", "downgrade"))
    drops = [each for each in upgrade if "op.drop_index" not in each]
    revision = rewritten(revision, "upgrade", sorted(drops, key=lambda each: "co_authorships" not in each))
    revision = rewritten(revision, "downgrade", sorted(downgrade, key=lambda each: "co_authorships" in each))
    return revision.replace('phase: str = "expand"', 'phase: str = "contract"\ndestructive = True')


def function(revision: str, name: str) -> ast.FunctionDef:
    return next(node for node in ast.parse(revision).body if isinstance(node, ast.FunctionDef) and node.name == name)


def body(revision: str, name: str) -> list[str]:
    """The function's statements, as they are written."""
    return [ast.get_source_segment(revision, statement) or "" for statement in function(revision, name).body]


def rewritten(revision: str, name: str, statements: list[str]) -> str:
    old = function(revision, name)
    lines = revision.splitlines()
    return "\n".join([*lines[: old.lineno], *(f"    {each}" for each in statements), *lines[old.end_lineno :]]) + "\n"


if __name__ == "__main__":
    drill(remove_posts)
