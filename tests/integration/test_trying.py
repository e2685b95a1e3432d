"""A service that asks for a credential and configuration values, tried from console and CLI."""

from urllib.parse import quote

import orjson
import pytest

from tests.support.browser import Browser
from tests.support.console import ConsoleAtom
from tests.support.operating import command
from tests.support.waiting import until

KEY = "canary-api-key"


@pytest.fixture(scope="module")
def atom(tmp_path_factory):
    atom = ConsoleAtom(tmp_path_factory.mktemp("tried"), "tests.support.configured")
    try:
        atom.token = atom.cli("credentials", "create", "robot")
        atom.start_all(["--pool=threads"])
        atom.service_url = f"{atom.url}/fs/Configured"
        yield atom
    finally:
        atom.close()


@pytest.fixture(scope="module")
def browser(atom):
    return Browser(atom.start_console(ATOM_SANDBOX_URL=atom.sandbox.url))


def form(browser, page, path, **fields):
    token = browser.get(page).form_token
    reply = browser.post(path, {"form": token, **fields})
    assert reply.status == 303, reply.text
    return reply.headers["Location"]


def test_the_console_configures_and_runs_it(atom, browser):
    refused = form(browser, "/try", "/try/install", url=atom.service_url)
    assert "credential" in browser.get(refused).text
    install = {"url": atom.service_url, "name": "robot", "token": atom.token}
    page = form(browser, "/try", "/try/install", **install)
    assert page == f"/try/service?url={atom.service_url}"
    place = f"url={quote(atom.service_url, safe='')}"
    # One after the other: a field that is left empty keeps its value.
    for fields in ({"c-0": KEY, "c-1": ""}, {"c-0": "", "c-1": "2.5"}):
        form(browser, page, f"/try/configuration?{place}", **fields)
    assert browser.get(page).text.count("(is set)") == 2
    assert KEY not in browser.get(page).text

    action = f"/try/action?{place}&action=Tell"
    flow = form(browser, action, action)
    until(lambda: "has resumed" in browser.get(flow).text, "its end")
    text = browser.get(flow).text
    assert "2.5" in text
    assert KEY not in text
    (last, *_) = atom.store.find(1).executions
    outputs = atom.store.get(last.id).response["outputs"]
    values = {each["developerName"]: each["contentValue"] for each in outputs}
    assert (values["Discount"], values["Key is known"]) == ("2.5", "true")


def invoke(atom, *options, code=0):
    said = command(
        atom,
        *("invoke", "Configured", "Tell", "--json", "--listener", atom.url),
        *("--sandbox", atom.sandbox.url, *options),
        code=code,
        ATOM_CREDENTIAL=f"robot:{atom.token}",
    )
    assert KEY not in said
    return orjson.loads(said) if code in (0, 1) and said.startswith("{") else said


def test_invoke_takes_configuration_values(atom, tmp_path):
    def values(*options):
        outputs = invoke(atom, *options)["outputs"]
        return outputs["Discount"], outputs["Key is known"]

    assert values("-c", f"Api Key={KEY}", "-c", "Discount=3.5") == ("3.5", "true")
    file = tmp_path / "values.json"
    file.write_bytes(orjson.dumps({"Api Key": KEY, "Discount": 7}))
    assert values("--config", str(file)) == ("7", "true")
    assert values("--config", str(file), "-c", "Discount=8") == ("8", "true")


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("-c", f"Apikey={KEY}"), 1, "no configuration value “Apikey”; there are: Api Key, Disc"),
        (("-c", "Discount=much", "-c", f"Api Key={KEY}"), 1, "Discount"),
        (("-c", KEY), 2, "Invalid value for -c: a value is given as NAME=VALUE"),
        (("-c", f"Api Key={{{KEY}"), 2, "Invalid value for -c: Api Key is not valid JSON"),
        (("-i", "Nope=1", "-c", f"Api Key={KEY}"), 1, "no input “Nope”"),
        (("--credential", f"robot:{KEY}"), 1, "credential"),
    ],
)
def test_what_is_wrong_with_an_invocation_is_said_without_the_secret(atom, options, code, says):
    assert says in str(invoke(atom, *options, code=code))


@pytest.mark.parametrize("content", ["[1]", "no JSON", '"text"'])
def test_a_file_of_values_is_an_object(atom, tmp_path, content):
    file = tmp_path / "values.json"
    file.write_text(content)
    said = invoke(atom, "--config", str(file), code=2)
    assert "Invalid value for --config" in said
