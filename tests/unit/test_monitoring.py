"""Alerts and dashboard are made of slo.toml, ask for metrics that there are, and each alert and event has its page."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.registry import REGISTRY

from app.core import metrics
from tests.support.process import ROOT

FOLDER = ROOT / "deploy" / "monitoring"
EVENT = re.compile(r'\blog\.(?:warning|error|critical)\(\s*"([a-z_]+)"')
METRIC = re.compile(r"\b(?:http_server|db_client|database|shared_read|sign_ins|posts|mails|audit)_\w+")

promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool isn't installed (package prometheus)")


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def queries() -> list[str]:
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def test_the_files_are_as_new_as_the_promises(tmp_path: Path) -> None:
    for name in ("generate.py", "slo.toml"):
        shutil.copy(FOLDER / name, tmp_path)
    subprocess.run([sys.executable, tmp_path / "generate.py"], check=True)

    for name in ("alerts.yml", "dashboard.json"):
        assert (FOLDER / name).read_text() == (tmp_path / name).read_text(), "run `make monitoring`"


def test_they_ask_for_metrics_that_there_are() -> None:
    known = {sample for family in REGISTRY.collect() for sample in names_of(family.name, family.type)}
    known |= {"audit_events_total"}  # read from the database at each scrape
    labels = {"http_request_method", "http_route", "http_response_status_code", metrics.POOL}

    texts = [re.sub(r'"[^"]*"', "", text) for text in (*queries(), *(alert["expr"] for alert in alerts()))]
    asked = {name for text in texts for name in METRIC.findall(text)}

    assert asked - labels <= known
    assert len(asked) > 10


def names_of(family: str, kind: str) -> set[str]:
    endings = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("_total",)}
    return {family + ending for ending in endings.get(kind, ("",))}


def test_latency_is_promised_at_a_bucket() -> None:
    bounds = {f"{bound:g}" for bound in metrics.DURATIONS}

    for alert_or_query in (*queries(), (FOLDER / "alerts.yml").read_text()):
        assert set(re.findall(r'\ble="([^"]+)"', alert_or_query)) <= bounds


def test_each_alert_and_event_has_a_section() -> None:
    sections = set(re.findall(r"^### (\w+)$", (ROOT / "docs" / "incidents.md").read_text(), re.MULTILINE))
    sources = "".join(file.read_text() for file in (ROOT / "app").rglob("*.py"))
    expected = {alert["alert"] for alert in alerts()} | set(EVENT.findall(sources))

    assert sections == expected


def promtool_said(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(("promtool", *arguments), cwd=FOLDER, check=False, capture_output=True, text=True)


@promtool
def test_the_alerts_go_off_when_they_should() -> None:
    done = promtool_said("test", "rules", "alerts_test.yml")

    assert done.returncode == 0, done.stdout + done.stderr


@promtool
def test_the_queries_of_the_dashboard_are_promql(tmp_path: Path) -> None:
    exprs = [query.replace("$__rate_interval", "5m") for query in queries()]
    rules = [{"record": f"panel:query_{number}", "expr": expr} for number, expr in enumerate(exprs)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    done = promtool_said("check", "rules", str(file))

    assert done.returncode == 0, done.stdout + done.stderr
