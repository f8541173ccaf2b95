"""What Alembic runs for each of its commands, whether somebody typed `alembic` or the service's own command."""

from safestep.environment import run

from app.db.migrations import project

run(project)
