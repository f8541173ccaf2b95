"""Makes Prometheus's rules and Grafana's dashboard of slo.toml: `python deploy/monitoring/generate.py`."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
RUNBOOK = "docs/incidents.md"
DURATION = "http_server_request_duration_seconds"
NO_PROBES = 'http_route!~"/health/.*|/metrics"'


def failing(slo: dict[str, Any], window: str) -> dict[str, str]:
    """The share of answers that break each promise, over a window, by name."""
    wrong = f'sum(rate({DURATION}_count{{{NO_PROBES},http_response_status_code=~"5.."}}[{window}]))'
    ratios = {"availability": f"{wrong} / sum(rate({DURATION}_count{{{NO_PROBES}}}[{window}]))"}
    for name, promise in slo["latency"].items():
        of = f'{NO_PROBES},http_request_method=~"{"|".join(promise["methods"])}"'
        soon = f'sum(rate({DURATION}_bucket{{{of},le="{promise["seconds"]:g}"}}[{window}]))'
        ratios[f"latency_{name}"] = f"1 - {soon} / sum(rate({DURATION}_count{{{of}}}[{window}]))"
    return ratios


def objectives(slo: dict[str, Any]) -> dict[str, float]:
    latency = {f"latency_{name}": promise["objective"] for name, promise in slo["latency"].items()}
    return {"availability": slo["availability"]["objective"], **latency}


def alert_name(promise: str, severity: str) -> str:
    words = "".join(word.capitalize() for word in promise.split("_"))
    return f"{words}Budget{'BurnsFast' if severity == 'page' else 'Burns'}"


def recording_rules(slo: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for window in sorted({window for burn in slo["burn"] for window in burn["windows"]}):
        for promise, ratio in failing(slo, window).items():
            yield {"record": f"slo:{promise}:failing_{window}", "expr": ratio}


def budget_alerts(slo: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for promise, objective in objectives(slo).items():
        for burn in slo["burn"]:
            limit = round(burn["rate"] * (1 - objective / 100), 6)
            yield alert(
                alert_name(promise, burn["severity"]),
                " and ".join(f"slo:{promise}:failing_{window} > {limit:g}" for window in burn["windows"]),
                severity=burn["severity"],
                window=burn["windows"][0],
                summary=f"More answers than the {objective:g} % of {promise.replace('_', ' of ')} allow are failing: "
                f"{burn['rate']:g} times the budget over {burn['windows'][0]}.",
            )


def alert(name: str, expression: str, *, summary: str, lasting: str = "0s", **labels: str) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expression,
        "for": lasting,
        "labels": labels,
        "annotations": {"summary": summary, "runbook": f"{RUNBOOK}#{name.lower()}"},
    }


CAUSES = (
    alert(
        "ServiceAway", 'up{job="postern"} == 0', lasting="2m", severity="page",
        summary="Prometheus can't scrape an instance.",
    ),
    alert(
        "DatabaseAway", 'sum by (instance) (rate(database_errors_total{code="database_unavailable"}[1m])) > 0',
        lasting="1m", severity="page", summary="Requests fail because the database can't be reached.",
    ),
    alert(
        "DatabaseSlow", 'sum by (instance) (rate(database_errors_total{code="database_timeout"}[5m])) > 0.1',
        lasting="5m", severity="ticket", summary="Statements or locks take longer than their time limits.",
    ),
    alert(
        "ConnectionsShort",
        "histogram_quantile(0.95, sum by (instance, db_client_connection_pool_name, le) "
        "(rate(db_client_connection_wait_time_seconds_bucket[5m]))) > 0.5",
        lasting="5m", severity="ticket", summary="Requests wait for a connection for more than half a second.",
    ),
    alert(
        "MailsFail", 'sum(increase(mails_total{outcome="failed"}[15m])) > 0',
        severity="ticket", summary="Mails with links don't leave.",
    ),
    alert(
        "SignInsRefused",
        'sum(rate(sign_ins_total{outcome="refused"}[10m])) > '
        '1 + 5 * sum(rate(sign_ins_total{outcome="accepted"}[10m]))',
        lasting="10m", severity="ticket", summary="Somebody is trying passwords.",
    ),
)  # fmt: skip


def rules(slo: dict[str, Any]) -> dict[str, Any]:
    return {
        "groups": [
            {"name": "promises", "rules": [*recording_rules(slo), *budget_alerts(slo)]},
            {"name": "causes", "rules": list(CAUSES)},
        ]
    }


def panels(slo: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Title, unit, and queries by legend."""
    count = f"{DURATION}_count{{{NO_PROBES}}}"
    yield (
        "Requests by status",
        "reqps",
        {"{{http_response_status_code}}": f"sum by (http_response_status_code) (rate({count}[$__rate_interval]))"},
    )
    buckets = f"sum by (le) (rate({DURATION}_bucket{{{NO_PROBES}}}[$__rate_interval]))"
    yield "Time to answer", "s", {f"p{each}": f"histogram_quantile({each / 100}, {buckets})" for each in (50, 95, 99)}
    yield (
        "Slowest routes, p95",
        "s",
        {
            "{{http_request_method}} {{http_route}}": f"topk(5, histogram_quantile(0.95, sum by (http_request_method, "
            f"http_route, le) (rate({DURATION}_bucket{{{NO_PROBES}}}[$__rate_interval]))))"
        },
    )
    yield (
        "Budget burnt, times too fast",
        "none",
        {
            promise: f"slo:{promise}:failing_1h / {round(1 - objective / 100, 6):g}"
            for promise, objective in objectives(slo).items()
        },
    )
    yield "Requests under way", "none", {"{{instance}}": "http_server_active_requests"}
    pool = "{{db_client_connection_pool_name}}"
    by_pool = "sum by (db_client_connection_pool_name)"
    yield (
        "Connections",
        "none",
        {
            f"{pool} used": f"{by_pool} (db_client_connection_used)",
            f"{pool} awaited": f"{by_pool} (db_client_connection_pending_requests)",
        },
    )
    waits = (
        "sum by (db_client_connection_pool_name, le) "
        "(rate(db_client_connection_wait_time_seconds_bucket[$__rate_interval]))"
    )
    yield "Wait for a connection, p95", "s", {pool: f"histogram_quantile(0.95, {waits})"}
    yield (
        "Errors of the database",
        "reqps",
        {"{{code}}": "sum by (code) (rate(database_errors_total[$__rate_interval]))"},
    )
    yield (
        "Reads that one query answers, mean",
        "none",
        {
            "reads": "sum(rate(shared_read_batch_size_sum[$__rate_interval])) "
            "/ sum(rate(shared_read_batch_size_count[$__rate_interval]))"
        },
    )
    yield "Sign-ins", "reqps", {"{{outcome}}": "sum by (outcome) (rate(sign_ins_total[$__rate_interval]))"}
    yield "Changes of posts", "reqps", {"{{change}}": "sum by (change) (rate(posts_total[$__rate_interval]))"}
    yield (
        "Mails and audit rows",
        "reqps",
        {
            "mails {{outcome}}": "sum by (outcome) (rate(mails_total[$__rate_interval]))",
            "audit rows": "max(rate(audit_events_total[$__rate_interval]))",
        },
    )


def dashboard(slo: dict[str, Any]) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${source}"}
    shown = [
        {
            "id": number,
            "type": "timeseries",
            "title": title,
            "datasource": source,
            "gridPos": {"h": 8, "w": 8, "x": (number - 1) % 3 * 8, "y": (number - 1) // 3 * 8},
            "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
            "targets": [
                {"refId": chr(65 + index), "expr": expression, "legendFormat": legend, "datasource": source}
                for index, (legend, expression) in enumerate(queries.items())
            ],
        }
        for number, (title, unit, queries) in enumerate(panels(slo), start=1)
    ]
    variable = {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    return {
        "uid": "postern",
        "title": "Postern",
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [variable]},
        "panels": shown,
    }


def generated(folder: Path = FOLDER) -> dict[str, str]:
    """The text of each file, by its name."""
    slo = tomllib.loads((folder / "slo.toml").read_text())
    head = "# Made of slo.toml by `make monitoring`.\n"
    return {
        "alerts.yml": head + yaml.safe_dump(rules(slo), sort_keys=False, width=1000),
        "dashboard.json": json.dumps(dashboard(slo), indent=2) + "\n",
    }


if __name__ == "__main__":
    for name, text in generated().items():
        (FOLDER / name).write_text(text)
