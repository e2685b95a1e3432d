"""The compose file, its example settings and the image agree with each other and with the code."""

import re
from dataclasses import fields, replace
from urllib.parse import urlsplit

import pytest
import yaml

from atom.settings import Settings
from tests.docs.compose import compose_file
from tests.support.roles import ROOT

TEXT = (ROOT / "docker-compose.yml").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
EXAMPLES = dict(re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
# As compose reads them: `${NAME:-default}`, and `${NAME-default}` where empty is a value, too.
DEFAULTS = re.findall(r"\$\{([A-Z_]+):?-([^}]*)\}", TEXT)
ROLES = {"listener", "worker", "callbacks", "recovery", "flower", "console", "sandbox"}
SERVICES = compose_file()["services"]
VARIABLES = {each.metadata["variable"]: each for each in fields(Settings)}
# What only the compose file knows.
OURS = {
    *("ATOM_SERVICES_DIRECTORY", "ATOM_WORKER_QUEUES", "ATOM_WORKER_CONCURRENCY"),
    *("ATOM_PUBLISH_ADDRESS", "ATOM_LISTENER_PORT", "ATOM_CONSOLE_PORT", "ATOM_SANDBOX_PORT"),
    *("ATOM_FLOWER_PORT", "ATOM_REDIS_PASSWORD", "ATOM_REDIS_MEMORY", "ATOM_RABBITMQ_PASSWORD"),
    *("ATOM_POSTGRES_PASSWORD", "ATOM_IMAGE_EXTRAS"),
    *("ATOM_STOP_GRACE", "ATOM_IMAGE", "PYTHON_IMAGE", "COMPOSE_PROFILES"),
}


@pytest.mark.parametrize(("name", "default"), DEFAULTS)
def test_the_example_says_what_holds_without_it(name, default):
    assert EXAMPLES[name] == default


def test_the_example_names_nothing_that_nobody_reads():
    assert set(EXAMPLES) <= {*VARIABLES, *OURS}
    assert {name for name, _ in DEFAULTS} == set(EXAMPLES) - {"COMPOSE_PROFILES"}


def test_the_roles_take_the_example_as_it_is(monkeypatch):
    for name in set(EXAMPLES) & set(VARIABLES):
        monkeypatch.setenv(name, EXAMPLES[name])
    settings = Settings.from_env()
    assert settings.services == ("welcome",)
    assert settings.secret_key == ()
    assert settings.broker == settings.redis_url


def test_each_line_of_the_example_has_its_comment():
    for block in re.split(r"\n\n", EXAMPLE):
        lines = block.split("\n")
        assert not any("=" in line for line in lines) or lines[0].startswith("#")


def test_there_are_the_roles_and_their_stores():
    assert set(SERVICES) == {*ROLES, "redis", "rabbitmq", "postgres", "secret-key"}
    assert {name: each["profiles"] for name, each in SERVICES.items() if "profiles" in each} == {
        "sandbox": ["dev"],
        "rabbitmq": ["rabbitmq"],
        "postgres": ["postgres"],
    }


@pytest.mark.parametrize("role", sorted(ROLES))
def test_a_role_may_write_nothing_and_waits_for_its_stores(role):
    service = SERVICES[role]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    conditions = {name: each["condition"] for name, each in service["depends_on"].items()}
    assert conditions.pop("secret-key") == "service_completed_successfully"
    assert set(conditions.values()) == {"service_healthy"}
    assert all(each.endswith(":ro") or each == "flower:/data" for each in service["volumes"])


@pytest.mark.parametrize("role", sorted(ROLES))
def test_role_reads_the_key_that_is_created_before_it_starts(role):
    creator = SERVICES["secret-key"]
    (path,) = [each.partition("=")[2] for each in creator["command"] if each.startswith("--file=")]
    assert SERVICES[role]["environment"]["ATOM_SECRET_KEY_FILE"] == path
    assert "keys:/keys:ro" in SERVICES[role]["volumes"]
    # It ends when the key is there, and has to write it as the user of the image.
    assert (creator["restart"], creator["volumes"]) == ("no", ["keys:/keys"])
    assert re.search(r"chown atom .*/keys", DOCKERFILE)
    assert "keys" in compose_file()["volumes"]


@pytest.mark.parametrize("role", sorted(ROLES))
def test_a_role_has_only_settings_that_there_are(role):
    known = {*VARIABLES, "ATOM_LISTENER_URL", "ATOM_SANDBOX_URL"}
    assert set(SERVICES[role]["environment"]) <= known


def test_every_port_is_published_on_one_address_that_is_loopback():
    ports = [port for each in SERVICES.values() for port in each.get("ports", ())]
    assert len(ports) == 4
    assert all(port.startswith("${ATOM_PUBLISH_ADDRESS:-127.0.0.1}:") for port in ports)


def test_docker_waits_longer_than_a_role_takes_to_end():
    grace = int(EXAMPLES["ATOM_STOP_GRACE"].removesuffix("s"))
    assert float(EXAMPLES["ATOM_SHUTDOWN_SECONDS"]) == Settings().shutdown_seconds
    assert grace >= Settings().shutdown_seconds + 15


def test_callbacks_may_go_where_they_may_without_docker_and_to_the_sandbox():
    hosts = EXAMPLES["ATOM_CALLBACK_HOSTS"].split(",")
    assert hosts == [*Settings().callback_hosts, "http://sandbox:8079"]
    assert SERVICES["sandbox"]["hostname"] == "sandbox"


def test_redis_keeps_what_it_is_given():
    (config,) = compose_file()["configs"].values()
    lines = [line for line in config["content"].splitlines() if not line.startswith("#")]
    options = dict(line.split(" ", 1) for line in lines)
    assert options["appendonly"] == "yes"
    assert options["maxmemory-policy"] == "noeviction"
    assert SERVICES["redis"]["volumes"] == ["redis:/data"]
    # On no command line, where every user of the machine could read it.
    assert "PASSWORD" not in str(SERVICES["redis"]["command"])


def test_the_line_that_chooses_rabbitmq_fits_the_service():
    (url,) = re.findall(r"amqp://\S+", EXAMPLE)
    assert url in (ROOT / "docs" / "brokers.md").read_text()
    parts = urlsplit(url)
    environment = SERVICES["rabbitmq"]["environment"]
    assert (parts.hostname, parts.username) == ("rabbitmq", environment["RABBITMQ_DEFAULT_USER"])
    assert environment["RABBITMQ_DEFAULT_PASS"].endswith(f":-{parts.password}}}")
    replace(Settings(), broker_url=url).check()
    assert SERVICES["rabbitmq"]["volumes"] == ["rabbitmq:/var/lib/rabbitmq"]
    assert SERVICES["rabbitmq"]["hostname"] == "rabbitmq"  # its data belong to that name


def test_one_service_builds_the_image_that_all_roles_run():
    assert [name for name, each in SERVICES.items() if "build" in each] == ["listener"]
    assert {SERVICES[role]["image"] for role in ROLES} == {"${ATOM_IMAGE:-flow-atom:local}"}


def test_the_image_has_two_stages_a_user_and_commands_in_exec_form():
    stages = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert stages == ["${PYTHON_IMAGE}", "${PYTHON_IMAGE}"]
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert "apt-get" not in final
    assert "pip " not in final
    assert re.search(r"^USER atom$", final, re.MULTILINE)
    for word in ("HEALTHCHECK", "ENTRYPOINT", "CMD"):
        (given,) = re.findall(rf"^{word}\b(.*)$", final, re.MULTILINE)
        assert yaml.safe_load(given[given.index("[") :])


def test_the_builder_is_sent_no_secret():
    lines = [line for line in (ROOT / ".dockerignore").read_text().split("\n") if line]
    kept = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    assert kept == {
        *("pyproject.toml", "constraints.txt", "README.md", "LICENSE"),
        *("atom", "workers", "deploy/docker/*.py"),
    }
