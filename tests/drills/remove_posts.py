"""The drill "remove posts": delete the stem and the places that the guide names; a service of users is left."""

import re

from tests.drills.checkout import Checkout, drill

# The stem, in every layer, and what is about posts alone.
STEM = (
    "app/api/routes/posts.py",
    "app/cli/imports.py",
    "app/db/models/co_authorship.py",
    "app/db/models/post.py",
    "app/repos/posts.py",
    "app/schemas/imports.py",
    "app/schemas/posts.py",
    "app/services/import_sources.py",
    "app/services/imports.py",
    "app/services/posts.py",
    "tests/integration/imports",
    "tests/integration/posts",
    "tests/resources/posts.py",
    "tests/unit/test_services.py",
)

# Definitions elsewhere that serve posts.
DEFINITIONS = {
    "app/api/deps.py": ("get_post_reads", "get_posts", "PostReads", "Posts"),
    "app/api/identity.py": ("require_post_writer", "PostReader", "PostWriter"),
    "app/core/errors.py": ("PostNotFound", "SlugTaken", "AuthorUnknown"),
    "app/core/identity.py": ("Scope.POSTS_READ", "Scope.POSTS_WRITE"),
    "app/db/models/user.py": ("User.posts",),
    "app/repos/users.py": ("UserRepo._forget_co_author", "UserRepo.find_authors"),
}

# Lines that name posts.
LINES = (
    ("app/api/routes/__init__.py", "pages, posts, users", "pages, users"),
    ("app/api/routes/__init__.py", "(users, posts, ", "(users, "),
    ("app/cli/main.py", 'app.command("import")(imports.import_posts)\n', ""),
    ("app/db/models/__init__.py", "from app.db.models.co_authorship import CoAuthorship\n", ""),
    ("app/db/models/__init__.py", "from app.db.models.post import Post\n", ""),
    ("app/db/models/__init__.py", '    "CoAuthorship",\n', ""),
    ("app/db/models/__init__.py", '    "Post",\n', ""),
    ("app/db/models/user.py", "if TYPE_CHECKING:\n    from app.db.models.post import Post\n", ""),
    (  # until the rehearsal knows no scope
        "packages/safestep/src/safestep/rehearsal/credential.py",
        "[Scope.POSTS_READ, Scope.POSTS_WRITE, Scope.USERS_READ, Scope.ADMIN]",
        "list(Scope)",
    ),
    ("app/schemas/problems.py", "from app.schemas.posts import SLUG\n", ""),
)
PATTERNS = (
    ("app/schemas/problems.py", r"    SLUG: .*\n"),
    ("app/cli/main.py", r"(?<=from app\.cli import )imports, "),
    (
        "app/repos/users.py",
        r"        await self\._forget_co_author\(user\)\n(?s:.*?)(?=        await self\._session\.delete\(user\))",
    ),
)


def remove_posts(checkout: Checkout) -> None:
    checkout.delete(*STEM)
    for path, names in DEFINITIONS.items():
        checkout.forget(path, *names)
    for path, old, new in LINES:
        checkout.replace(path, old, new)
    for path, pattern in PATTERNS:
        file = checkout.folder / path
        text, count = re.subn(pattern, "", file.read_text())
        if count != 1:
            raise LookupError(f"{path} has {count} times: {pattern}")
        file.write_text(text)
    checkout.tidy()
    checkout.revision("without posts", contracts)


def contracts(revision: str) -> str:
    """No code uses the tables any more, and their data and indexes go with them."""
    upgrade, downgrade = revision.split("def downgrade")
    revision = re.sub(r"    op\.drop_index\(.*\n", "", upgrade) + "def downgrade" + downgrade
    return revision.replace('phase: str = "expand"', 'phase: str = "contract"\ndestructive = True')


if __name__ == "__main__":
    drill(remove_posts)
