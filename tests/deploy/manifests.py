"""The manifests for Kubernetes, read, and what they are made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from tests.support.roles import ROOT

FOLDER = ROOT / "deploy/kubernetes"


@dataclass(frozen=True)
class Manifest:
    """One document of one file."""

    file: str
    content: dict[str, Any]

    @property
    def kind(self):
        return self.content["kind"]

    @property
    def name(self):
        return self.content["metadata"]["name"]

    @property
    def spec(self):
        return self.content["spec"]

    @property
    def template(self):
        """Of the pods of a workload."""
        return self.spec["template"]

    @property
    def labels(self):
        return self.template["metadata"]["labels"]

    @property
    def pod(self):
        return self.template["spec"]

    @property
    def container(self):
        """Each of our pods has one."""
        (container,) = self.pod["containers"]
        return container

    @property
    def ports(self):
        return {port["name"]: port["containerPort"] for port in self.container["ports"]}

    def __str__(self):
        return f"{self.file}:{self.kind}:{self.content.get('metadata', {}).get('name', '')}"


def all_manifests():
    found = []
    for path in sorted(FOLDER.rglob("*.yaml")):
        for content in yaml.safe_load_all(path.read_text()):
            found.append(Manifest(str(path.relative_to(FOLDER)), content))
    return found


def of_kind(*kinds):
    return [each for each in all_manifests() if each.kind in kinds]


def workloads():
    return of_kind("Deployment", "StatefulSet")


def roles():
    """The workloads that run our image."""
    return [each for each in workloads() if each.labels["app.kubernetes.io/name"] == "flow-atom"]


def settings():
    """What the ConfigMap of every role sets."""
    (found,) = [each for each in of_kind("ConfigMap") if each.name == "atom"]
    return found.content["data"]


def secret_keys():
    (found,) = of_kind("Secret")
    return set(found.content["stringData"])


def values_at(name: str, content: Any) -> Iterator[Any]:
    """Whatever stands under a key, at any depth."""
    if isinstance(content, dict):
        for key, value in content.items():
            if key == name:
                yield value
            yield from values_at(name, value)
    elif isinstance(content, list):
        for value in content:
            yield from values_at(name, value)


def matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a label selector selects these labels; an empty one selects everything."""
    if not labels.items() >= selector.get("matchLabels", {}).items():
        return False
    return all(
        expression["operator"] == "In" and labels.get(expression["key"]) in expression["values"]
        for expression in selector.get("matchExpressions", [])
    )


def selected(selector: dict[str, Any]) -> list[Manifest]:
    """The workloads whose pods it selects."""
    return [each for each in workloads() if matches(selector, each.labels)]
