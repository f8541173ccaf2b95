"""What Alembic runs for each of its commands, whether somebody typed `alembic` or `postern db`."""

from safestep.environment import run

from app.db.migrations import project

run(project)
