"""What benchmarks make of their measurements, and what they measure with."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks.compare import rows, workloads
from benchmarks.compare.commands.run import run
from benchmarks.compare.contenders import services
from benchmarks.compare.failures import BenchmarkError
from benchmarks.compare.flame import write_flame_graph
from benchmarks.compare.generator import percentile
from benchmarks.compare.guarding import verdicts
from benchmarks.compare.plot import must_be_drawable, write_plot
from benchmarks.compare.profiling import Profile, by_package, read_stacks
from benchmarks.compare.results import Results, Window
from benchmarks.compare.rows import Size
from benchmarks.compare.workloads import WORKLOADS, Target
from tests.support.laws import ROOT, Source, exemptions_are_explained, names_say_something, nothing_is_long, sources

FORM = (names_say_something, nothing_is_long, exemptions_are_explained)
SIZE = Size(30, 300)
STACKS = """\
run (uvicorn/server.py);answer (app/api/routes/posts.py);execute (sqlalchemy/engine/base.py);loads (json/decoder.py) 6
run (uvicorn/server.py);answer (app/api/routes/posts.py) 3
run (uvicorn/server.py) 1
"""


def window(contender: str, number: int, cpu: float, **other: Any) -> Window:
    measured: dict[str, Any] = {
        "phase": "one worker",
        "workload": "post",
        "requests": 100,
        "failed": 0,
        "fault": None,
        "throughput": 1000.0,
        "latency": {"p50": 1.0, "p95": 2.0, "p99": 3.0, "longest": 4.0},
        "database_cpu": None,
        "generator": 0.1,
    }
    return Window(contender=contender, round=number, cpu=cpu, **measured | other)


def results(*windows: Window) -> Results:
    return Results(["service"], "service", {}, windows=list(windows))


def test_rows_follow_from_their_numbers_alone() -> None:
    once, again = (list(rows.post_lines(SIZE)) for _ in range(2))

    assert once == again
    assert len({line.split("\t")[0] for line in once}) == SIZE.posts
    assert rows.uuid_of("post", 7).version == 7
    assert rows.uuid_of("post", 7) < rows.uuid_of("post", 8)


def test_popularity_follows_the_law_of_zipf() -> None:
    asked = rows.popular("post", SIZE.posts, 20_000)
    counts = [count for _, count in Counter(asked).most_common()]

    assert asked == rows.popular("post", SIZE.posts, 20_000)
    assert set(asked) <= {rows.uuid_of("post", number) for number in range(SIZE.posts)}
    assert 1.6 < counts[0] / counts[1] < 2.5
    assert counts[0] > 50 * counts[-1]


def test_everybody_is_asked_the_same_in_the_same_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workloads, "READS", 100)
    monkeypatch.setattr(workloads, "CREATES", 20)
    service, other = Target(1, "/api/v1", ["token"] * rows.ACCOUNTS), Target(2, "")
    for workload in WORKLOADS.values():
        ours, theirs = workload.requests(service, SIZE), workload.requests(other, SIZE)
        assert [paths(ours, "/api/v1"), bodies(ours)] == [paths(theirs, ""), bodies(theirs)], workload.name


def paths(requests: tuple[bytes, ...], prefix: str) -> list[str]:
    return [request.split(b" ")[1].decode().removeprefix(prefix) for request in requests]


def bodies(requests: tuple[bytes, ...]) -> list[bytes]:
    return [request.partition(b"\r\n\r\n")[2] for request in requests]


def test_only_requests_of_an_account_carry_its_token() -> None:
    target = Target(1, "", [f"token{number}" for number in range(rows.ACCOUNTS)])

    creations = WORKLOADS["create"].requests(target, SIZE)
    assert b"Bearer token0\r\n" in creations[0]
    assert b"Bearer token1\r\n" in creations[1]
    assert all(b"Authorization" not in request for request in WORKLOADS["post"].requests(target, SIZE))


def test_a_percentile_is_one_of_the_values() -> None:
    assert [percentile([1.0, 2.0, 3.0, 4.0], part) for part in (0.5, 0.95, 1.0)] == [2.0, 4.0, 4.0]
    assert percentile([], 0.5) == 0.0


def test_a_ratio_compares_windows_of_the_same_round() -> None:
    """A round in which the machine was three times as slow changes both figures, and not their ratio."""
    measured = results(
        *(window("service", number, 100 * factor) for number, factor in enumerate((1, 3, 1))),
        *(window("bare", number, 10 * factor) for number, factor in enumerate((1, 3, 1))),
    )

    service, bare = measured.summaries()
    assert service.ratio
    assert bare.ratio
    assert (bare.ratio.least, bare.ratio.median, bare.ratio.most) == (0.1, 0.1, 0.1)
    assert (bare.cpu.median, bare.cpu.deviation) == (10, 2.0)


def test_a_busy_generator_and_failures_are_told() -> None:
    measured = results(window("bare", 0, 1, generator=0.95), window("service", 0, 1, failed=2, fault="503"))

    assert [each.is_limited_by_generator for each in measured.summaries()] == [True, False]
    assert measured.faults == ["one worker, post, service: 2 failed, first: 503"]


def test_a_request_that_calls_more_than_the_limit_fails_the_guard() -> None:
    known = {"post": 1000.0, "list": 1000.0}

    judged = list(verdicts({"post": 1099.0, "list": 1101.0, "new": 5.0}, known, 0.10))

    assert [verdict.passed for verdict in judged] == [True, False, True]
    assert str(judged[1]) == "list 1,101.0, baseline 1,000.0, +10.1%: FAILED (limit +10%)"
    assert str(judged[2]) == "new 5.0, not in the baseline"


def test_time_in_the_standard_library_counts_for_the_package_that_called_it() -> None:
    profile = Profile(read_stacks(STACKS), 1000.0)

    assert by_package(profile) == [("sqlalchemy", 0.6), ("app/api", 0.3), ("uvicorn", 0.1)]


def test_a_flame_graph_tells_the_time_of_each_function(tmp_path: Path) -> None:
    write_flame_graph(Profile(read_stacks(STACKS), 1000.0), "read <one>", tmp_path / "flame.svg")

    drawn = (tmp_path / "flame.svg").read_text()
    assert "<title>execute in sqlalchemy/engine/base.py: 600 µs</title>" in drawn
    assert "<title>answer in app/api/routes/posts.py: 900 µs</title>" in drawn
    assert "read &lt;one&gt;" in drawn


def test_results_are_drawn_and_written(tmp_path: Path) -> None:
    measured = results(window("service", 0, 100), window("bare", 0, 10))

    for name in ("plot.svg", "plot.png"):
        write_plot(measured, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 500
    assert json.loads(json.dumps(measured.as_json()))["summaries"][1]["cpu_ratio"]["median"] == 0.1
    with pytest.raises(BenchmarkError, match="name a file that ends in"):
        must_be_drawable(tmp_path / "plot.pdf")


def test_checkouts_are_named_and_take_settings() -> None:
    same = str(ROOT)

    [one] = services([])
    first, second = services([same, f"{same},DB_POOL_SIZE=20,LOG_LEVEL=ERROR"])

    assert (one.name, first.name, second.name) == ("service", ROOT.name, f"{ROOT.name}-2")
    assert (second.environment["DB_POOL_SIZE"], second.environment["LOG_LEVEL"]) == ("20", "ERROR")
    assert "DB_POOL_SIZE" not in first.environment
    with pytest.raises(BenchmarkError, match="'pool' is no setting"):
        services([f"{same},pool"])
    with pytest.raises(BenchmarkError, match="no checkout with an environment"):
        services(["/nowhere"])


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({"ask": "nothing"}, "--ask: there is no 'nothing'; choose of user,"),
        ({"only": "nobody"}, "--only: there is no 'nobody'; choose of service,"),
        ({"plot": Path("plot.gif")}, "--plot plot.gif: name a file that ends in"),
        ({"service": ["/nowhere"]}, "/nowhere is no checkout with an environment: run"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_starts(options: dict[str, Any], answer: str) -> None:
    with pytest.raises(BenchmarkError) as refused:
        run(**options)

    assert str(refused.value).startswith(answer)


@pytest.mark.parametrize("source", sources("benchmarks"), ids=lambda source: source.path)
def test_benchmarks_keep_the_laws_of_form(source: Source) -> None:
    assert [violation for law in FORM for violation in law(source)] == []
