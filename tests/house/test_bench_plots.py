"""The plots are XML that a browser draws, with everything that was measured in them and named."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.plots import write_plots
from benchmarks.svg import Axis, Chart, Line
from benchmarks.trials.result import TrialResult, percentile

SVG = "{http://www.w3.org/2000/svg}"


def a_latency(variant: str) -> TrialResult:
    return TrialResult(
        name="revocation",
        backend="postgresql",
        variant=variant,
        figures={"verifiers": 50, "revocations": 300, "p50_ms": 20.0, "p99_ms": 600.0},
        samples=[1.0, 20.0, 600.0],
    )


def a_cost() -> TrialResult:
    names = ("bare_us", "unseen_us", "jwt_decode_us", "joserfc_us", "introspection_us")
    scale = [{"entries": 10**power, "seen_us": 3.0, "lookups_us": 0.8} for power in (3, 4, 5)]
    return TrialResult(name="verify", backend="sqlite", figures=dict.fromkeys(names, 30.0), lists={"by_entries": scale})


def texts(path: Path) -> str:
    return " ".join("".join(one.itertext()) for one in ElementTree.parse(path).iter(f"{SVG}text"))


def test_each_plot_is_written_when_its_figures_were_measured(tmp_path: Path) -> None:
    write_plots(tmp_path / "one", [a_latency("the server that is followed")])
    write_plots(tmp_path / "both", [a_latency("another server"), a_cost()])
    assert [path.name for path in sorted((tmp_path / "one").iterdir())] == ["benchmark-revocation.svg"]
    assert len(list((tmp_path / "both").iterdir())) == 2


def test_every_line_has_a_name_and_points_within_the_picture(tmp_path: Path) -> None:
    write_plots(tmp_path, [a_latency("the server that is followed"), a_latency("another server"), a_cost()])
    for name, lines in (("benchmark-revocation.svg", 2), ("benchmark-verify.svg", 6)):
        picture = ElementTree.parse(tmp_path / name).getroot()
        drawn = list(picture.iter(f"{SVG}polyline"))
        assert len(drawn) == lines
        for place in " ".join(line.attrib["points"] for line in drawn).split():
            x, y = map(float, place.split(","))
            assert 0 < x < float(picture.attrib["width"])
            assert 0 < y < float(picture.attrib["height"])
    assert "told to another server" in texts(tmp_path / "benchmark-revocation.svg")
    assert "100,000" in texts(tmp_path / "benchmark-verify.svg")


def test_names_cannot_break_the_picture() -> None:
    axis = Axis(name="<&>", ticks=[1, 10])
    chart = Chart(title="<a>", subtitle='"&"', x=axis, y=axis, lines=[Line(name="</svg>", points=[(1, 1)])])
    ElementTree.fromstring(chart.svg())


@pytest.mark.parametrize(("share", "value"), [(0.0, 0), (0.5, 50), (0.99, 99), (1.0, 99)])
def test_percentiles_are_measured_values(share: float, value: float) -> None:
    assert percentile(range(100), share) == value
