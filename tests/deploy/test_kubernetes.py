"""The manifests fit together, and fit the settings, commands and metrics that there are.

What kustomize 5.5 makes of them was also found valid by the schemas of Kubernetes 1.29 and 1.37
(kubernetes-validate, strict); those are too large to be kept here. What is misspelt most easily is
checked by `KNOWN`.
"""

import pytest
import yaml

from atom.endpoints import split_bind
from atom.settings import Settings, settings_table
from tests.deploy.manifests import (
    FOLDER,
    all_manifests,
    of_kind,
    roles,
    secret_keys,
    selected,
    settings,
    values_at,
    workloads,
)
from tests.docs.shell import check_call

each_workload = pytest.mark.parametrize("workload", workloads(), ids=str)
each_role = pytest.mark.parametrize("role", roles(), ids=str)

VARIABLES = {variable for variable, _, _ in settings_table()}
# Path of each role's own health, or the command that knows them all.
HEALTH = {"/health", "/ready", "/healthcheck"}
# A pod that ends: what it may finish, then 15 s to hand back and close.
CLOSING_SECONDS = 15

PROBE = {"exec", "httpGet", "periodSeconds", "timeoutSeconds", "failureThreshold"}
KNOWN = {
    "container": {
        *("name", "image", "command", "args", "env", "envFrom", "ports", "resources", "lifecycle"),
        *("startupProbe", "readinessProbe", "livenessProbe", "securityContext", "volumeMounts"),
    },
    "pod": {
        *("automountServiceAccountToken", "enableServiceLinks", "terminationGracePeriodSeconds"),
        *("securityContext", "topologySpreadConstraints", "containers", "volumes"),
    },
    "workload": {
        *("replicas", "strategy", "selector", "template", "serviceName", "volumeClaimTemplates"),
    },
}


def test_there_is_what_an_atom_needs():
    assert {each.name for each in workloads()} == {
        *("redis", "listener", "worker", "callbacks", "recovery", "console", "flower"),
    }
    assert {each.name for each in of_kind("PodDisruptionBudget")} == {
        *("listener", "worker", "callbacks"),
    }
    assert [each.name for each in of_kind("HorizontalPodAutoscaler")] == ["listener"]
    assert [each.name for each in of_kind("ScaledObject")] == ["worker"]


def test_each_file_belongs_to_a_kustomization():
    named = {"base/secret.example.yaml"}
    for each in all_manifests():
        if each.file.endswith("kustomization.yaml"):
            folder = FOLDER / each.file.rpartition("/")[0]
            named.add(each.file)
            for other in [*each.content["resources"], *each.content.get("components", [])]:
                path = (folder / other).resolve()
                assert path.exists(), f"{each.file} names {other}"
                named.add(str(path.relative_to(FOLDER)))
    assert {each.file for each in all_manifests()} - named == set()


@each_workload
def test_no_field_is_misspelt(workload):
    assert set(workload.container) <= KNOWN["container"]
    assert set(workload.pod) <= KNOWN["pod"]
    assert set(workload.spec) <= KNOWN["workload"]
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert set(workload.container[name]) <= PROBE


@each_workload
def test_nobody_gets_more_rights_than_needed(workload):
    assert workload.pod["automountServiceAccountToken"] is False
    of_pod, of_container = workload.pod["securityContext"], workload.container["securityContext"]
    assert of_pod["runAsNonRoot"] is True
    assert of_pod["runAsUser"] > 0
    assert of_pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert of_container == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "/tmp" in {each["mountPath"] for each in workload.container["volumeMounts"]}
    assert set(workload.container["resources"]) == {"requests", "limits"}
    for amounts in workload.container["resources"].values():
        assert set(amounts) == {"cpu", "memory"}


@each_workload
def test_each_image_is_a_version(workload):
    _, _, tag = workload.container["image"].rpartition(":")
    assert tag
    assert tag != "latest"


def test_the_user_is_that_of_the_image():
    text = (FOLDER.parent.parent / "Dockerfile").read_text()
    for role in roles():
        assert f"--uid {role.pod['securityContext']['runAsUser']} " in text


@each_workload
def test_its_selector_selects_it_alone(workload):
    assert [each.name for each in selected(workload.spec["selector"])] == [workload.name]
    for spread in workload.pod.get("topologySpreadConstraints", []):
        assert [each.name for each in selected(spread["labelSelector"])] == [workload.name]


@each_workload
def test_its_volumes_are_there(workload):
    volumes = {each["name"] for each in workload.pod["volumes"]}
    volumes |= {each["metadata"]["name"] for each in workload.spec.get("volumeClaimTemplates", [])}
    assert {each["name"] for each in workload.container["volumeMounts"]} == volumes
    claims = {each.name for each in of_kind("PersistentVolumeClaim")}
    assert {
        each["claimName"] for each in values_at("persistentVolumeClaim", workload.pod)
    } <= claims


@each_role
def test_its_command_is_one(role):
    check_call(role.container["args"])


@each_role
def test_its_settings_are_settings(role):
    assert {"configMapRef": {"name": "atom"}} in role.container["envFrom"]
    assert {each["name"] for each in role.container["env"]} <= VARIABLES
    for reference in values_at("secretKeyRef", role.container["env"]):
        assert reference["name"] == "atom"
        assert reference["key"] in secret_keys()


def test_flower_does_not_get_the_key_of_the_documents():
    for role in roles():
        given = {each["name"] for each in role.container["env"]}
        assert ("ATOM_SECRET_KEY" in given) == (role.name != "flower")
        assert ("ATOM_FLOWER_PASSWORD" in given) == (role.name == "flower")


def test_the_common_settings_are_valid(monkeypatch):
    assert set(settings()) <= VARIABLES
    for name, value in settings().items():
        monkeypatch.setenv(name, value)
    found = Settings.from_env()
    assert not found.allow_anonymous


def test_what_production_sets_is_a_setting():
    (production,) = [each for each in of_kind("Kustomization") if "patches" in each.content]
    for each in production.content["patches"]:
        patch = yaml.safe_load(each["patch"])
        assert (patch["kind"], patch["metadata"]["name"]) == ("ConfigMap", "atom")
        assert set(patch["data"]) <= VARIABLES


def test_each_secret_is_used_and_none_has_a_value():
    used = {each["key"] for each in values_at("secretKeyRef", [w.container for w in workloads()])}
    assert used == secret_keys()
    (example,) = of_kind("Secret")
    values = set(example.content["stringData"].values())
    assert values == {"", "change-me", "flower", "redis://:change-me@redis:6379/0"}


@each_role
def test_it_has_time_to_end(role):
    before = sum(int(each[1]) for each in values_at("command", role.container.get("lifecycle")))
    needed = float(settings()["ATOM_SHUTDOWN_SECONDS"]) + CLOSING_SECONDS + before
    assert role.pod["terminationGracePeriodSeconds"] >= needed


@each_role
def test_its_ports_are_where_it_listens(role):
    binds = {
        "http": "ATOM_BIND",
        "console": "ATOM_CONSOLE_BIND",
        "flower": "ATOM_FLOWER_BIND",
        "metrics": "ATOM_METRICS_BIND",
    }
    for name, port in role.ports.items():
        host, expected = split_bind(binds[name], settings()[binds[name]])
        assert (host, port) == ("0.0.0.0", expected)


@each_workload
def test_each_probe_asks_what_is_there(workload):
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = workload.container[name]
        if "httpGet" in probe:
            assert probe["httpGet"]["port"] in workload.ports
            assert probe["httpGet"]["path"] in HEALTH
        elif workload in roles():
            assert probe["exec"]["command"] == ["atom-health"]
        else:
            assert "redis-cli ping" in probe["exec"]["command"][-1]


@pytest.mark.parametrize("service", of_kind("Service"), ids=str)
def test_each_service_has_somebody_behind_it(service):
    (workload,) = selected({"matchLabels": service.spec["selector"]})
    for port in service.spec["ports"]:
        assert workload.ports[port["targetPort"]] == port["port"]


def test_redis_is_reached_under_its_name():
    (redis,) = [each for each in of_kind("Service") if each.name == "redis"]
    (secret,) = of_kind("Secret")
    url = secret.content["stringData"]["redis-url"]
    assert url.endswith(f"@{redis.name}:{redis.spec['ports'][0]['port']}/0")


@pytest.mark.parametrize("budget", of_kind("PodDisruptionBudget"), ids=str)
def test_each_budget_is_of_one_role(budget):
    assert [each.name for each in selected(budget.spec["selector"])] == [budget.name]
    assert budget.spec["maxUnavailable"] == 1


@pytest.mark.parametrize("policy", of_kind("NetworkPolicy"), ids=str)
def test_each_policy_is_about_pods_and_ports_that_there_are(policy):
    concerned = selected(policy.spec["podSelector"])
    assert concerned
    for values in policy.spec["podSelector"].get("matchExpressions", []):
        assert len(concerned) == len(values["values"])
    ports = {name for each in concerned for name in each.ports}
    for rule in policy.spec.get("ingress", []):
        for peer in rule["from"]:
            if set(peer) == {"podSelector"}:
                assert selected(peer["podSelector"])
        assert {port["port"] for port in rule["ports"]} <= ports
    for rule in policy.spec.get("egress", []):
        for peer in rule["to"]:
            if set(peer) == {"podSelector"}:
                (there,) = selected(peer["podSelector"])
                assert {port["port"] for port in rule["ports"]} == set(there.ports.values())


def test_nothing_is_allowed_unless_it_is_said():
    (nothing,) = [each for each in of_kind("NetworkPolicy") if each.name == "nothing"]
    assert nothing.spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    reached = {
        each.name
        for policy in of_kind("NetworkPolicy")
        if list(values_at("ipBlock", policy.content))
        for each in selected(policy.spec["podSelector"])
    }
    assert reached == {"callbacks", "worker"}


@pytest.mark.parametrize("scaler", of_kind("HorizontalPodAutoscaler", "ScaledObject"), ids=str)
def test_who_is_scaled_has_no_number_of_its_own(scaler):
    (scaled,) = [each for each in workloads() if each.name == scaler.spec["scaleTargetRef"]["name"]]
    assert "replicas" not in scaled.spec


def test_workers_are_scaled_by_the_queue_that_they_serve():
    (scaled,) = of_kind("ScaledObject")
    (worker,) = [each for each in workloads() if each.name == "worker"]
    age, running = scaled.spec["triggers"]
    (queues,) = [word for word in worker.container["args"] if word.startswith("--queues=")]
    assert f'queue="{queues.removeprefix("--queues=")}"' in age["metadata"]["query"]
    (room,) = [word for word in worker.container["args"] if word.startswith("--concurrency=")]
    assert 0 < int(running["metadata"]["threshold"]) < int(room.removeprefix("--concurrency="))


def test_prometheus_reads_each_role_that_has_metrics():
    (monitor,) = of_kind("PodMonitor")
    ports = {each["port"] for each in monitor.spec["podMetricsEndpoints"]}
    read = [each for each in selected(monitor.spec["selector"]) if ports & set(each.ports)]
    jobs = {f"atom-{each.labels['app.kubernetes.io/component']}" for each in read}
    scrapes = yaml.safe_load((FOLDER.parent / "prometheus/prometheus.yml").read_text())
    assert jobs == {each["job_name"] for each in scrapes["scrape_configs"]}
