"""The commands that need no running Atom, and how each mistake is told."""

import sys

import orjson
import pytest
from click.testing import CliRunner

from atom.cli import main
from atom.redaction import masked, masked_url
from atom.store.encryption import Cipher, new_key
from tests.support.ports import free_port


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setenv("ATOM_SERVICES", "examples.orders")
    monkeypatch.setenv("COLUMNS", "160")

    def invoke(*arguments):
        return CliRunner().invoke(main, arguments)

    return invoke


def test_services_are_listed(run):
    result = run("services")
    assert result.exit_code == 0
    for word in ("Orders", "/fs/Orders", "Fulfil", "Order Number*", "Parcels"):
        assert word in result.stdout


def test_services_as_json_are_their_metadata(run):
    described = orjson.loads(run("services", "--json").stdout)
    assert described["Orders"]["actions"][0]["uriPart"] == "actions/Fulfil"


def test_check_says_what_is_right(run):
    result = run("check")
    assert result.exit_code == 0
    assert "Orders" in result.stdout


def test_an_event_that_nests_too_deeply_is_no_traceback(run):
    result = run("executions", "signal", "id", "name", "--event", "[" * 400 + "]" * 400)
    assert result.exit_code == 2
    assert "The body nests deeper than" in result.stderr


@pytest.mark.parametrize("event", ["NaN", "1e400", "caf\udce9", '{"a": '])
def test_signal_refuses_an_event_that_is_not_json(run, event):
    result = run("executions", "signal", "id", "name", "--event", event)
    assert result.exit_code == 2
    assert "not valid JSON" in result.stderr


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("ATOM_SERVICES", "no_such_module", "no_such_module"),
        ("ATOM_SERVICES", "", "ATOM_SERVICES"),
        ("ATOM_BIND", "nowhere", "ATOM_BIND"),
        ("ATOM_SECRET_KEY", "secret", "ATOM_SECRET_KEY: key 1 of 1"),
        # With a name of its own: the processes of pytest-xdist have to agree on it.
        pytest.param(
            "ATOM_SECRET_KEY",
            f"{new_key()},{new_key()[1:]}",
            "ATOM_SECRET_KEY: key 2 of 2",
            id="second key",
        ),
        ("ATOM_FLOW_URL", "flow.boomi.com", "ATOM_FLOW_URL"),
        ("ATOM_FLOWER_LINK", "127.0.0.1:5555", "ATOM_FLOWER_LINK"),
    ],
)
def test_check_says_what_is_wrong(run, monkeypatch, variable, value, says):
    monkeypatch.setenv(variable, value)
    result = run("check")
    assert result.exit_code == 1
    assert result.stderr.startswith("atom: ")
    assert says in result.stderr


def test_check_refuses_a_secret_key_without_printing_it(run, monkeypatch):
    monkeypatch.setenv("ATOM_SECRET_KEY", "canary-of-a-key")
    result = run("check")
    assert result.exit_code == 1
    assert "canary" not in result.output


def test_check_refuses_certificate_files_that_are_missing(run, monkeypatch, tmp_path):
    monkeypatch.setenv("ATOM_TLS_CERT", str(tmp_path / "cert.pem"))
    monkeypatch.setenv("ATOM_TLS_KEY", str(tmp_path / "key.pem"))
    result = run("check")
    assert result.exit_code == 1
    assert "ATOM_TLS_CERT" in result.stderr


@pytest.mark.parametrize(
    ("variable", "value", "module"),
    [
        ("ATOM_FILE_STORE", "s3://bucket/uploads", "fsspec"),
        ("ATOM_HISTORY_URL", "sqlite:////tmp/history.db", "sqlalchemy"),
    ],
)
def test_check_names_the_extra_that_a_setting_needs(run, monkeypatch, variable, value, module):
    monkeypatch.setenv(variable, value)
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, "atom.store.sql.history", raising=False)
    result = run("check")
    assert result.exit_code == 1
    assert f"{variable} needs {module}" in result.stderr
    assert "pip install 'flow-atom[" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["worker", "--queues", "proceses"], "proceses"),
        (["worker", "--queues", ""], "queues"),
        (["worker", "--concurrency", "0"], "concurrency"),
        (["invoke", "Orders", "Fulfil", "-i", "no equals sign"], "NAME=VALUE"),
        (["invoke", "Orders", "Fulfil", "-i", "Lines=[{"], "not valid JSON"),
        (["invoke", "Orders", "Fulfil", "--inputs", "/no/such/file"], "does not exist"),
        (["executions", "list", "--state", "asleep"], "asleep"),
        (["executions", "cancel"], "ID"),
        (["executions", "retry", "x"], "Give one of --from-start"),
        (["executions", "retry", "x", "--from-start", "--from-failed-step"], "Give one of"),
        (["executions", "retry", "x", "--from-start", "--from-step", "ship"], "Give one of"),
        (["executions", "retry", "x", "--from-start", "--occurrence", "2"], "to --from-step"),
        (["executions", "retry", "x", "--as-copy", "--from-start"], "Give one of"),
        (["executions", "retry", "x", "--as-copy", "--drop-signals"], "no signals to drop"),
        (["executions", "retry", "x", "--from-start", "--set", "A=b"], "belongs to --as-copy"),
        (["executions", "retry", "x", "--as-copy", "--set", "canary"], "NAME=VALUE"),
        (["executions", "retry", "x", "--as-copy", "--set", "A=", "--set", "A=b"], "“A” twice"),
        (["executions", "retry", "x", "--from-start", "--set-config", "A=b"], "to --as-copy"),
        (["executions", "retry", "x", "--as-copy", "--set-config", "canary"], "NAME=VALUE"),
        (["executions", "retry", "x", "--from-step", "ship", "--occurrence", "0"], "x>=1"),
        (["callbacks", "list", "--since", "yesterday"], "a span such as 2h"),
        (["callbacks", "list", "--since", "999999d"], "a span such as 2h"),
        (["callbacks", "list", "--limit", "0"], "limit"),
        (["callbacks", "replay"], "--all"),
        (["callbacks", "replay", "x", "--all"], "not both"),
    ],
)
def test_a_wrong_option_is_told_with_its_name(run, arguments, says):
    result = run(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr


@pytest.mark.parametrize("group", ["executions", "callbacks", "listeners"])
def test_every_command_of_operators_speaks_json(run, group):
    for name in main.commands[group].commands:
        said = run(group, name, "--help").stdout
        assert "--json" in said, name


def test_without_a_sandbox_invoke_says_where_it_looked(run):
    result = run("invoke", "Orders", "Fulfil", "--sandbox", "http://127.0.0.1:1")
    assert result.exit_code == 1
    assert "The sandbox at http://127.0.0.1:1 does not answer" in result.stderr


def test_without_a_redis_executions_say_where_they_looked(run, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATOM_REDIS_URL", "redis://:canary@127.0.0.1:1/0")
    result = run("executions", "list")
    assert result.exit_code == 1
    assert "127.0.0.1:1" in result.stderr
    assert "canary" not in result.output


def test_a_secret_key_is_made(run):
    first, second = run("secret-key"), run("secret-key")
    assert first.stdout != second.stdout
    assert Cipher([first.stdout, second.stdout]).is_on
    assert "ATOM_SECRET_KEY" in first.stderr
    assert first.stdout.strip() not in first.stderr


def test_secret_key_file_is_created_and_then_left_alone(run, tmp_path):
    path = tmp_path / "secret-key"
    first = run("secret-key", "--file", str(path))
    content = path.read_text()
    second = run("secret-key", "--file", str(path))
    assert (first.stdout, second.stdout) == (
        f"{path} was created.\n",
        f"{path} exists and was left as it is.\n",
    )
    assert path.read_text() == content
    assert content.strip() not in first.output + second.output


@pytest.mark.parametrize(
    "command", [("worker",), ("recovery",), ("listener",), ("up",), ("executions", "list")]
)
def test_a_wrong_secret_key_is_told_at_the_start(run, monkeypatch, tmp_path, command):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATOM_BIND", f"127.0.0.1:{free_port()}")
    monkeypatch.setenv("ATOM_SANDBOX_BIND", f"127.0.0.1:{free_port()}")
    monkeypatch.setenv("ATOM_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("ATOM_SECRET_KEY", f"{new_key()},canary")
    result = run(*command)
    assert result.exit_code == 1
    assert "ATOM_SECRET_KEY: key 2 of 2 is invalid" in result.stderr
    assert "canary" not in result.output


def test_secrets_are_masked_wherever_they_stand():
    document = {
        "token": "canary",
        "Authorization": "canary",
        "inputs": [
            {"contentType": "CONTENTPASSWORD", "contentValue": "canary"},
            {"contentType": "ContentEncrypted", "contentValue": "canary"},
            {
                "contentType": "ContentObject",
                "objectData": [
                    {"properties": [{"contentType": "ContentPassword", "contentValue": "canary"}]}
                ],
            },
            {"contentType": "ContentString", "contentValue": "shown"},
        ],
    }
    assert "canary" not in repr(masked(document))
    assert "shown" in repr(masked(document))
    assert masked_url("redis://user:canary@host:1/0") == "redis://user:••••@host:1/0"
    assert masked_url("redis://host:1/0") == "redis://host:1/0"


def test_without_its_extra_flower_says_how_to_install_it(run, monkeypatch):
    monkeypatch.setattr("atom.cli.roles.has_flower", lambda: False)
    result = run("flower")
    assert result.exit_code == 1
    assert "pip install 'flow-atom[flower]'" in result.output


def test_a_credential_is_for_services_or_for_the_console(run):
    result = run("credentials", "create", "x", "--service", "CRM", "--role", "viewer")
    assert result.exit_code == 1
    assert "create two" in result.output
