"""`atom check --against`: files, URLs, wrong answers, and the output."""

import itertools
import json
import ssl
import sys

import orjson
import pytest
import trustme
from click.testing import CliRunner

from atom.cli import main
from tests.support.http_server import serving
from tests.support.ports import free_port

VERSION_1 = """
from atom import FlowService, Profile, fields

class Request(Profile):
    name = fields.String(data_key="Name")
    city = fields.String(data_key="City")

class Response(Profile):
    id = fields.String(data_key="Id")

crm = FlowService("CRM")

@crm.message_action("Retrieve", request=Request, response=Response)
def retrieve(request, execution):
    return {}

@crm.message_action("Delete", request=Request)
def delete(request, execution):
    return None
"""
# City was removed, Name and Key are required, and Since was added.
VERSION_2 = """
from atom import FlowService, Profile, fields

class Request(Profile):
    name = fields.String(data_key="Name", required=True)

class Response(Profile):
    id = fields.String(data_key="Id")
    since = fields.Date(data_key="Since")

crm = FlowService("CRM")
crm.configuration_value("Key", required=True)

@crm.message_action("Retrieve", request=Request, response=Response)
def retrieve(request, execution):
    return {}

@crm.message_action("Delete", request=Request)
def delete(request, execution):
    return None
"""
ORDERS = """
from atom import FlowService

orders = FlowService("Orders")

@orders.message_action("Fulfil")
def fulfil(request, execution):
    return None
"""
numbers = itertools.count()


@pytest.fixture
def check(tmp_path, monkeypatch):
    """Run a command with services that are declared by these sources; returns its result."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("ATOM_CREDENTIAL", raising=False)
    modules = []

    def run(sources, *arguments, command="check"):
        names = [f"check_against_{next(numbers)}" for _ in sources]
        for name, source in zip(names, sources, strict=True):
            (tmp_path / f"{name}.py").write_text(source)
        modules.extend(names)
        monkeypatch.setenv("ATOM_SERVICES", ",".join(names))
        return CliRunner().invoke(main, [command, *arguments])

    yield run
    for name in modules:
        sys.modules.pop(name, None)


@pytest.fixture
def saved(check, tmp_path):
    """Save the metadata of services as `atom services --json` prints it; returns the path."""

    def save(*sources):
        path = tmp_path / f"saved-{next(numbers)}.json"
        path.write_text(check(sources, "--json", command="services").stdout)
        return str(path)

    return save


@pytest.fixture
def described(check):
    """The metadata of version 1, as its listener serves it."""
    return orjson.loads(check([VERSION_1], "--json", command="services").stdout)["CRM"]


def answering(status=200, body=b"", content_type="application/json", **headers):
    """Return a WSGI application with one answer."""

    def app(environ, start_response):
        fields = {"Content-Type": content_type, "Content-Length": str(len(body)), **headers}
        start_response(f"{status} Answer", list(fields.items()))
        return [body]

    return app


def listening(documents, seen=None):
    """Return a WSGI application with metadata by path, and a ServiceProblem at other paths."""

    def app(environ, start_response):
        if seen is not None:
            seen.append((environ["PATH_INFO"], environ.get("HTTP_AUTHORIZATION")))
        path = environ["PATH_INFO"]
        if path in documents:
            return answering(body=orjson.dumps(documents[path]))(environ, start_response)
        problem = answering(
            404, b'{"message": "no"}', **{"X-ManyWho-Service-Problem-Kind": "service"}
        )
        return problem(environ, start_response)

    return app


# --- the output


def test_unchanged_services_break_nothing(check, saved):
    result = check([VERSION_1, ORDERS], "--against", saved(VERSION_1, ORDERS))
    assert result.exit_code == 0
    assert "CRM\n  No changes for flows.\n" in result.stdout
    assert "0 breaking and 0 compatible change(s)." in result.stdout


def test_changes_are_grouped_by_service_and_action(check, saved):
    path = saved(VERSION_1)
    result = check([VERSION_2, ORDERS], "--against", path)
    assert result.exit_code == 1
    # After the line of every `atom check`.
    assert result.stdout.split("\n", 1)[1] == (
        "\nCRM\n"
        "  Action Delete\n"
        "    breaks      Input “City” was removed. The value that flows send is ignored.\n"
        "    breaks      Input “Name” became required. Requests without a value are refused with "
        "400.\n"
        "  Action Retrieve\n"
        "    breaks      Input “City” was removed. The value that flows send is ignored.\n"
        "    breaks      Input “Name” became required. Requests without a value are refused with "
        "400.\n"
        "    compatible  Output “Since” was added.\n"
        "  Configuration\n"
        "    breaks      Configuration value “Key” was added and is required. Requests without a "
        "value are refused with 400.\n"
        "\nOrders\n"
        "  Service\n"
        "    compatible  Service “Orders” was added.\n"
        f"\nCompared with {path}: 5 breaking and 2 compatible change(s).\n"
    )


def test_compatible_changes_alone_are_exit_code_0(check, saved):
    result = check([VERSION_1, ORDERS], "--against", saved(VERSION_1))
    assert result.exit_code == 0
    assert "Service “Orders” was added." in result.stdout


def test_removed_service_breaks_its_flows(check, saved):
    result = check([ORDERS], "--against", saved(VERSION_1, ORDERS))
    assert result.exit_code == 1
    assert "Service “CRM” was removed. Flows that use it get 404." in result.stdout


def test_one_service_can_be_compared_alone(check, saved):
    path = saved(VERSION_1, ORDERS)
    assert check([VERSION_2, ORDERS], "--against", path, "--service", "Orders").exit_code == 0
    assert check([VERSION_2, ORDERS], "--against", path, "--service", "CRM").exit_code == 1
    result = check([VERSION_2], "--against", path, "--service", "Sales")
    assert result.exit_code == 1
    assert "does not have the service “Sales”; it has: CRM, Orders." in result.stderr


def test_json_has_every_change_and_nothing_else(check, saved):
    path = saved(VERSION_1)
    result = check([VERSION_2], "--against", path, "--json")
    assert result.exit_code == 1
    document = orjson.loads(result.stdout)
    assert (document["against"], document["breaks"]) == (path, True)
    changes = document["services"]["CRM"]
    assert {(c["action"], c["subject"], c["change"], c["name"], c["breaks"]) for c in changes} == {
        ("Delete", "input", "removed", "City", True),
        ("Delete", "input", "became required", "Name", True),
        ("Retrieve", "input", "removed", "City", True),
        ("Retrieve", "input", "became required", "Name", True),
        ("Retrieve", "output", "added", "Since", False),
        (None, "configuration value", "added as required", "Key", True),
    }
    result = check([VERSION_1], "--against", path, "--json")
    assert result.exit_code == 0
    assert orjson.loads(result.stdout) == {
        "against": path,
        "breaks": False,
        "services": {"CRM": []},
    }


# --- files


def test_file_of_one_service_needs_its_name_only_among_several(check, described, tmp_path):
    path = tmp_path / "crm.json"
    path.write_text(json.dumps(described))
    assert check([VERSION_1], "--against", str(path)).exit_code == 0
    ambiguous = check([VERSION_1, ORDERS], "--against", str(path))
    assert ambiguous.exit_code == 1
    assert "add --service NAME. There are: CRM, Orders." in ambiguous.stderr
    named = check([VERSION_1, ORDERS], "--against", str(path), "--service", "CRM")
    assert named.exit_code == 0
    assert "Orders" not in named.stdout.split("\n", 1)[1]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is not metadata"),
        (b"<html>", "is not metadata"),
        (b"[]", "`atom services --json` writes it"),
        (b"{}", "`atom services --json` writes it"),
        (b'{"CRM": {"message": "no"}}', "CRM is not metadata"),
        (b'{"actions": [{"developerName": ""}]}', "actions[0].developerName"),
    ],
)
def test_file_that_is_not_metadata_is_named(check, tmp_path, content, says):
    path = tmp_path / "other.json"
    path.write_bytes(content)
    result = check([VERSION_1], "--against", str(path))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"atom: {path}")
    assert says in result.stderr


def test_missing_file_is_named_with_both_ways_to_give_metadata(check, tmp_path):
    result = check([VERSION_1], "--against", str(tmp_path / "none.json"))
    assert result.exit_code == 1
    assert "none.json cannot be read: No such file or directory." in result.stderr
    assert "https://" in result.stderr


# --- URLs


@pytest.mark.parametrize("end", ["", "/", "/fs", "/fs/CRM", "/fs/CRM/", "/fs/CRM/metadata"])
@pytest.mark.parametrize("prefix", ["", "/some/atom"])
def test_url_may_be_of_the_atom_or_of_a_service(check, described, prefix, end):
    with serving(listening({f"{prefix}/fs/CRM/metadata": described})) as server:
        url = f"http://127.0.0.1:{server.port}{prefix}{end}"
        result = check([VERSION_2, ORDERS], "--against", url)
    assert result.exit_code == 1
    assert "Input “City” was removed." in result.stdout
    # The URL of one service says nothing about others.
    assert ("Service “Orders” was added." in result.stdout) == ("CRM" not in end)


def test_service_that_was_deployed_under_its_url_but_is_no_longer_declared(check, described):
    with serving(listening({"/fs/CRM/metadata": described})) as server:
        result = check([ORDERS], "--against", f"http://127.0.0.1:{server.port}/fs/CRM")
    assert result.exit_code == 1
    assert "Service “CRM” was removed." in result.stdout


def test_credential_is_sent(check, described, monkeypatch):
    seen = []
    monkeypatch.setenv("ATOM_CREDENTIAL", "ci:token")
    with serving(listening({"/fs/CRM/metadata": described}, seen)) as server:
        result = check([VERSION_1], "--against", f"http://127.0.0.1:{server.port}")
    assert result.exit_code == 0
    assert seen == [("/fs/CRM/metadata", "Basic Y2k6dG9rZW4=")]


@pytest.mark.parametrize(
    ("app", "says"),
    [
        (listening({}), "has none of the services CRM"),
        (answering(404, b"<p>no</p>", "text/html"), "answered 404 with text/html"),
        (answering(200, b"<p>hi</p>", "text/html; charset=utf-8"), "answered 200 with text/html"),
        (answering(200, b'{"hello": 1}'), "is not metadata"),
        (answering(200, b'{"actions": null}'), "is not metadata"),
        (answering(401), "asks for a credential: set ATOM_CREDENTIAL to NAME:TOKEN"),
        (answering(403), "compare one service at a time with --service"),
        (answering(302, Location="https://u:secret@atom.example/fs"), "redirects to https://u:"),
        (answering(503, b'{"message": "Redis is away."}'), "answered 503: Redis is away."),
    ],
    ids=("none", "404", "html", "other", "null", "401", "403", "302", "503"),
)
def test_answer_that_is_not_metadata_is_one_sentence(check, app, says):
    with serving(app) as server:
        result = check([VERSION_1], "--against", f"http://127.0.0.1:{server.port}")
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert says in result.stderr
    assert "secret" not in result.output


def test_refused_credential_is_named_without_its_token(check, monkeypatch):
    monkeypatch.setenv("ATOM_CREDENTIAL", "ci:secret-token")
    with serving(answering(401)) as server:
        result = check([VERSION_1], "--against", f"http://127.0.0.1:{server.port}")
    assert "refuses the credential: check ATOM_CREDENTIAL" in result.stderr
    assert "secret-token" not in result.output


def test_listener_that_cannot_be_reached_is_named(check):
    port = free_port()
    result = check([VERSION_1], "--against", f"http://name:secret@127.0.0.1:{port}")
    assert result.exit_code == 1
    assert f"127.0.0.1:{port}/fs/CRM/metadata cannot be read: no connection." in result.stderr
    assert "secret" not in result.output


def test_private_authority_is_trusted_by_ssl_cert_file(check, described, tmp_path, monkeypatch):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with serving(listening({"/fs/CRM/metadata": described}), tls=context) as server:
        url = f"https://127.0.0.1:{server.port}"
        refused = check([VERSION_1], "--against", url)
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        trusted = check([VERSION_1], "--against", url)
    assert refused.exit_code == 1
    assert "no trusted TLS connection. If its certificate" in refused.stderr
    assert "SSL_CERT_FILE" in refused.stderr
    assert trusted.exit_code == 0


# --- options


@pytest.mark.parametrize("options", [["--json"], ["--service", "CRM"]])
def test_options_of_the_comparison_need_it(check, options):
    result = check([VERSION_1], *options)
    assert result.exit_code == 2
    assert "--service and --json need --against or --in-flight" in result.stderr


def test_malformed_credential_is_refused(check):
    result = check([VERSION_1], "--against", "http://127.0.0.1:1", "--credential", "token")
    assert result.exit_code == 2
    assert "A credential is NAME:TOKEN." in result.stderr
