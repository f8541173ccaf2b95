"""The files of deploy/: their linters accept them, and they name settings, roles and times that there are."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.core.config import Settings
from app.db.roles import roles_sql
from tests.support.process import ROOT

DEPLOY = ROOT / "deploy"
PROGRAMS = Path(sys.executable).parent
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
NO_SETTING = {"FORWARDED_ALLOW_IPS", "PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}


def said(*command: str | Path) -> tuple[int, str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    return done.returncode, done.stdout + done.stderr


def objects() -> list[dict[str, Any]]:
    return [each for file in MANIFESTS for each in yaml.safe_load_all(file.read_text())]


def compose() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((DEPLOY / "compose" / "compose.yml").read_text())["services"]
    return services


def pods() -> Iterator[dict[str, Any]]:
    yield from (each["spec"]["template"]["spec"] for each in objects() if each["kind"] in ("Deployment", "Job"))


def variables() -> Iterator[str]:
    for name in ("service", "migrations"):
        yield from compose()[name]["environment"]
    yield from (name for each in objects() if each["kind"] == "ConfigMap" for name in each["data"])
    for file in (ROOT / "Dockerfile", *UNITS):
        yield from re.findall(r"(?:^Environment=|^ENV |^ {4})([A-Z_]+)=", file.read_text(), re.MULTILINE)


def test_the_dockerfile_is_sound() -> None:
    # Pinned versions of the distribution's packages would be gone with the next security update; none is installed.
    assert said(PROGRAMS / "hadolint", "Dockerfile") == (0, "")


def test_the_compose_file_fits_its_schema() -> None:
    schema = ("--builtin-schema", "vendor.compose-spec", "deploy/compose/compose.yml")

    code, output = said(PROGRAMS / "check-jsonschema", *schema)

    assert code == 0, output


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.name)
def test_manifests_fit_the_schemas_of_kubernetes(file: Path) -> None:
    code, output = said(PROGRAMS / "kubernetes-validate", "--strict", file)

    assert code == 0, output


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units_are_sound(tmp_path: Path, unit: Path) -> None:
    text = unit.read_text().replace("/srv/postern/.venv/bin", str(PROGRAMS)).replace("/srv/postern", str(ROOT))
    (tmp_path / unit.name).write_text(text)

    code, output = said("systemd-analyze", "verify", "--man=no", tmp_path / unit.name)

    assert (code, [line for line in output.splitlines() if unit.name in line]) == (0, [])


def test_variables_are_settings() -> None:
    named = set(variables())

    assert {name.lower() for name in named - NO_SETTING} <= set(Settings.model_fields)
    assert {"DATABASE_URL", "SECRET_KEYS", "OPERATOR_TOKEN", "ENVIRONMENT"} <= named


def test_the_database_of_compose_has_the_roles_that_the_command_prints() -> None:
    assert (DEPLOY / "compose" / "roles.sql").read_text() == roles_sql(), "postern db roles > deploy/compose/roles.sql"


def test_nothing_runs_as_root_or_writes_its_own_files() -> None:
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"]
        assert not pod["automountServiceAccountToken"]
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "memory" in container["resources"]["limits"]


def test_a_stop_has_the_time_that_it_needs() -> None:
    needed = Settings.model_construct(environment="production").grace_before_stop + 20
    (deployment,) = (each for each in objects() if each["kind"] == "Deployment")
    stop = re.search(r"^TimeoutStopSec=(\d+)$", (DEPLOY / "systemd" / "postern.service").read_text(), re.MULTILINE)

    assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= needed
    assert int(compose()["service"]["stop_grace_period"].removesuffix("s")) >= needed
    assert stop
    assert int(stop[1]) >= needed


def test_migrations_run_in_their_order() -> None:
    commands = {
        file.name[:2]: each["spec"]["template"]["spec"]["containers"][0]["command"]
        for file in MANIFESTS
        for each in yaml.safe_load_all(file.read_text())
        if each["kind"] == "Job"
    }

    assert {number: command[-1] for number, command in commands.items()} == {"20": "expand", "40": "contract"}


def test_grafana_finds_the_dashboard_where_compose_puts_it() -> None:
    provider = yaml.safe_load((DEPLOY / "monitoring/grafana/dashboards/postern.yml").read_text())["providers"][0]
    mounted = [volume.split(":")[1] for volume in compose()["grafana"]["volumes"]]

    assert f"{provider['options']['path']}/dashboard.json" in mounted
    assert json.loads((DEPLOY / "monitoring/dashboard.json").read_text())["title"]
    assert os.access(DEPLOY / "compose/passwords.sh", os.R_OK)
