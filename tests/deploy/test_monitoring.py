"""The dashboard and the alerts speak of metrics, labels and values that the service really exports."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import parser

from nightlamp.server import Node
from nightlamp.server.metrics import Metrics
from nightlamp.server.siblings import Siblings
from nightlamp.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana" / "nightlamp.json").read_text())
ALERTS = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())
PAGE = (DEPLOY.parent / "docs" / "monitoring.md").read_text()
SELECTOR = re.compile(r"(nightlamp_\w+)(?:\{([^}]*)\})?")
LABEL = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')
EVERY_NODE = {"instance", "job"}  # Prometheus adds them


def expressions() -> list[str]:
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    variables = [v["query"]["query"] for v in DASHBOARD["templating"]["list"] if v["type"] == "query"]
    return [*panels, *variables, *(rule["expr"] for rule in ALERTS["groups"][0]["rules"])]


@pytest.fixture(scope="module")
def exported() -> dict[str, set[str]]:
    """Every sample's name, with its labels, of a page that has one sample of each."""
    metrics = Metrics()
    for metric in vars(metrics).values():
        names = getattr(metric, "_labelnames", ())
        if names:
            metric.labels(*["x"] * len(names))
    families = parser.text_string_to_metric_families(metrics.page(inside=True).decode())
    found: dict[str, set[str]] = {}
    for family in families:
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.parametrize("expression", expressions())
def test_each_expression_asks_for_what_is_there(exported: dict[str, set[str]], expression: str) -> None:
    names = SELECTOR.findall(expression)
    assert names or 'up{job="nightlamp"}' in expression
    for name, selector in names:
        assert name in exported, name
        assert {label for label, _, _ in LABEL.findall(selector)} <= exported[name] | EVERY_NODE
        for labels in re.findall(r"by \(([^)]*)\)", expression):
            assert {each.strip() for each in labels.split(",")} <= exported[name] | EVERY_NODE


def test_every_metric_is_on_the_dashboard(exported: dict[str, set[str]]) -> None:
    asked = {name for expression in expressions() for name, _ in SELECTOR.findall(expression)}
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exported}
    assert families == {re.sub(r"_(bucket|count|sum)$", "", name) for name in asked}


def test_alerts_name_every_check_of_a_node_and_no_other(tmp_path: Path) -> None:
    # given a node with all that a node can have
    lookups = {"arachnid_user": "u", "arachnid_password": "p", "photodna_key": "k", "google_key": "k"}
    settings = Settings(data_dir=tmp_path, lookups=lookups)  # type: ignore[arg-type]
    node = Node(settings, siblings=Siblings(tmp_path, 0, 2))
    node.prepare()
    try:
        checks = {check.name for check in node.checks()}
        measured = set(re.findall(r'nightlamp_up{process="0",check="([^"]+)"}', node.page(inside=False)))
    finally:
        node.stop()
    named = set()
    for rule in ALERTS["groups"][0]["rules"]:
        for _, selector in SELECTOR.findall(rule["expr"]):
            for label, how, value in LABEL.findall(selector):
                if label == "check":
                    named |= set(value.split("|") if how == "=~" else [value])
    assert checks == measured
    assert all(any(re.fullmatch(name, check) for check in checks) for name in named)
    assert all(any(re.fullmatch(name, check) for name in named) for check in checks)


def test_the_page_tells_of_every_alert() -> None:
    names = [rule["alert"] for rule in ALERTS["groups"][0]["rules"]]
    assert len(set(names)) == len(names)
    for name in names:
        assert f"`{name}`" in PAGE, name


def test_panels_do_not_lie_on_each_other() -> None:
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)
