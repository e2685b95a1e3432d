"""The dashboard and the alert rules name what there is: real roles are scraped after real flows."""

import json
import re

import pytest
import yaml

from tests.support.executions import new_execution
from tests.support.operating import resumed
from tests.support.promql import parse
from tests.support.roles import ROOT
from tests.support.waiting import until
from tests.support.watched import Watched

DEPLOY = ROOT / "deploy"
# What Prometheus adds to everything that it scrapes, and knows of each target.
ADDED = {"instance", "job"}
OF_PROMETHEUS = {"up": ADDED}


def rules():
    document = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def dashboard():
    return json.loads((DEPLOY / "grafana/flow-atom.json").read_text())


def panels():
    return [each for each in dashboard()["panels"] if each["type"] != "row"]


def targets():
    return [target for panel in panels() for target in panel["targets"]]


def scaler_queries():
    scaler = yaml.safe_load((DEPLOY / "kubernetes/keda/worker.yaml").read_text())
    return [trigger["metadata"]["query"] for trigger in scaler["spec"]["triggers"]]


def expressions():
    shown = [target["expr"].replace("$__rate_interval", "5m") for target in targets()]
    return [*shown, *(rule["expr"] for rule in rules()), *scaler_queries()]


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """Metric → labels, of everything that the roles of an Atom tell after they did everything."""
    watched = Watched(tmp_path_factory.mktemp("shown"))
    try:
        directory = tmp_path_factory.mktemp("lines")
        atom = watched.atom
        resumed(atom.run("Flaky", {"File": str(directory / "tries")}, service="Stubborn"))
        resumed(atom.run("Dies once", {"File": str(directory / "lines")}))
        resumed(atom.run("Sync", {"Seconds": "0"}))
        for each in (new_execution(), new_execution()):  # the second is held back by the first
            atom.store.accept(each)
            atom.store.claim(each.id, "a worker", "1", 1)
        until(
            lambda: watched.scrape("callbacks").sum("atom_callback_seconds_count") >= 2,
            "the callbacks to be counted",
        )
        found = {}
        for name in watched.urls:
            for metric, labels in watched.scrape(name).names.items():
                found.setdefault(metric, set()).update(labels | ADDED)
        return {**OF_PROMETHEUS, **found}
    finally:
        watched.atom.close()


def unknown_in(expression, known):
    return [
        (metric, labels)
        for metric, labels in parse(expression).series
        if not labels <= known.get(metric, set()) or metric not in known
    ]


@pytest.mark.parametrize("expression", expressions())
def test_what_an_expression_names_exists(expression, known):
    assert unknown_in(expression, known) == []


def test_every_metric_is_shown_or_watched(known):
    """What nobody looks at need not be measured."""
    named = {metric for each in expressions() for metric, _ in parse(each).series}
    bare = re.compile("_(bucket|count|sum)$")
    families = {bare.sub("", each) for each in named}
    assert {each for each in known if bare.sub("", each) not in families} == set()


@pytest.mark.parametrize("expression", expressions())
def test_rates_are_of_what_only_grows(expression):
    assert not [
        each
        for each in parse(expression).counters
        if not each.endswith(("_total", "_bucket", "_count", "_sum"))
    ]


@pytest.mark.parametrize(
    ("expression", "is_right"),
    [
        ("max(atom_store_up)", True),
        ('sum by (status) (rate(atom_requests_total{service="x"}[5m])) > 0.5', True),
        ("max(atom_stroe_up)", False),
        ("sum by (stauts) (rate(atom_requests_total[5m]))", False),
        ('rate(atom_requests_total{stauts="x"}[5m])', False),
        ("sum(rate(atom_requests_total[5m])) / sum(rate(atom_request_total[5m]))", False),
    ],
)
def test_a_name_that_does_not_exist_is_found(expression, is_right, known):
    assert (unknown_in(expression, known) == []) == is_right


@pytest.mark.parametrize(
    "text",
    [
        "max(atom_store_up",
        "max(atom_store_up))",
        "rate(atom_requests_total)",
        "atom_requests_total{status=200}",
        "sum by status (atom_requests_total)",
        "atom_store_up ==",
        "atom_store_up = 0",
        "rat(atom_requests_total[5m])",
        "atom_requests_total[5 m]",
    ],
)
def test_what_is_no_expression_is_found(text):
    with pytest.raises(ValueError):
        parse(text)


def test_legends_use_labels_that_are_left():
    for target in targets():
        used = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert used <= parse(target["expr"].replace("$__rate_interval", "5m")).grouped_by, target


def test_the_dashboard_can_be_imported():
    """The datasource is chosen at import; ids are unique and nothing overlaps."""
    shown = dashboard()
    variables = {each["name"]: each for each in shown["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert all(each["datasource"]["uid"] == "${datasource}" for each in panels())
    ids = [each["id"] for each in shown["panels"]]
    assert len(ids) == len(set(ids))
    places = set()
    for each in shown["panels"]:
        at = each["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
        assert not cells & places, each["title"]
        places |= cells


def test_every_alert_says_what_it_means_and_where_to_read_on():
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        summary = rule["annotations"]["summary"]
        assert summary.endswith("."), rule
        grouped = parse(rule["expr"]).grouped_by | ADDED
        assert set(re.findall(r"\$labels\.(\w+)", summary)) <= grouped, rule
        # That its anchor exists is checked with the pages.
        assert rule["annotations"]["runbook"].startswith("docs/troubleshooting.md#")
        assert rule["labels"]["severity"] in ("warning", "critical")


def test_prometheus_asks_every_role_of_the_compose_file():
    scraped = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    found = {
        (name, config["port"])
        for job in scraped["scrape_configs"]
        for config in job["dns_sd_configs"]
        for name in config["names"]
    }
    assert found == {
        *(("listener", 8077), ("worker", 9464), ("callbacks", 9464), ("recovery", 9464)),
    }
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for name, port in found:
        bind = "ATOM_BIND" if name == "listener" else "ATOM_METRICS_BIND"
        assert services[name]["environment"][bind].endswith(f":{port}")
