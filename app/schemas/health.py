"""What a process says of its health."""

from collections.abc import Sequence
from typing import Literal

from app.schemas.base import Output

type Reason = Literal["stopping", "overloaded", "database_unreachable", "database_read_only", "migration_missing"]


class Liveness(Output):
    status: Literal["alive"] = "alive"


class ReadinessRead(Output):
    status: Literal["ready", "not_ready"]
    reasons: Sequence[Reason] | None = None
    """For operators."""
