"""Rehearsals: migrations executed on a full database, under the traffic of the code that is deployed.

A project describes its service with one `ServiceProfile`. `run.py` carries a rehearsal out: `plan.py` decides what is
rehearsed, `fill.py` makes rows, `service.py` runs a version of the service, `workload.py` knows its requests,
`load.py` sends them, `activity.py` and `server_log.py` look at the database, and `report.py` says what came of it.
"""

from safestep.rehearsal.configuration import Command, ServiceProfile, TableProfile
from safestep.rehearsal.errors import RehearsalError

__all__ = ["Command", "RehearsalError", "ServiceProfile", "TableProfile"]
