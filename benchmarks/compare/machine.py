"""On what machine, with which versions and which command something was measured."""

import os
import platform
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.compare.database import Databases
from benchmarks.compare.plan import Plan


def facts(databases: Databases, plan: Plan) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", "-m", "benchmarks.compare", *sys.argv[1:]]),
        "machine": {
            "processor": _processor(),
            "processors": os.cpu_count(),
            "load_average": os.getloadavg()[0],
            "system": platform.system(),
            "python": platform.python_version(),
            "postgresql": databases.version(),
        },
        "plan": {
            "rows": str(plan.size),
            "rounds": plan.rounds,
            "seconds": plan.seconds,
            "connections": plan.connections,
        },
    }


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
