"""Services tried from console and CLI: with a credential, with configuration values, with both."""

from urllib.parse import quote

import orjson
import pytest

from tests.support.browser import Browser
from tests.support.console import ConsoleAtom
from tests.support.operating import command
from tests.support.waiting import until

KEY = "canary-api-key"
SERVICES = "tests.support.configured,tests.support.services,tests.support.shop"
GUARDED = pytest.mark.parametrize("atom", ["guarded"], indirect=True)


@pytest.fixture(scope="module", params=["open", "guarded"])
def atom(request, tmp_path_factory):
    """An Atom that lets everybody call, or asks for a credential."""
    atom = ConsoleAtom(tmp_path_factory.mktemp("tried"), SERVICES)
    try:
        atom.token = ""
        if request.param == "guarded":
            atom.token = atom.cli("credentials", "create", "robot")
        atom.start_all(["--pool=threads"])
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


def install(atom, browser, service):
    """Install a service on the console's page; returns its page and its query string."""
    url = f"{atom.url}/fs/{service}"
    if atom.token:
        refused = form(browser, "/try", "/try/install", url=url)
        assert "credential" in browser.get(refused).text
    fields = {"name": "robot", "token": atom.token} if atom.token else {}
    page = form(browser, "/try", "/try/install", url=url, **fields)
    assert page == f"/try/service?url={url}"
    return page, f"url={quote(url, safe='')}"


def run(browser, place, action, **fields):
    """Run an action on the console's page; returns the text of the page of its flow."""
    path = f"/try/action?{place}&action={action}"
    flow = form(browser, path, path, **fields)
    until(lambda: "has resumed" in browser.get(flow).text, "its end")
    return browser.get(flow).text


def test_console_runs_a_service_without_configuration(atom, browser):
    _, place = install(atom, browser, "Trial")
    assert "canary of an echo" in run(browser, place, "Echo", **{"f-0": "canary of an echo"})


def test_console_configures_and_runs_a_service(atom, browser):
    page, place = install(atom, browser, "Configured")
    # One after the other: a field that is left empty keeps its value.
    for fields in ({"c-0": KEY, "c-1": ""}, {"c-0": "", "c-1": "2.5"}):
        form(browser, page, f"/try/configuration?{place}", **fields)
    assert browser.get(page).text.count("(is set)") == 2
    assert KEY not in browser.get(page).text

    text = run(browser, place, "Tell")
    assert "2.5" in text
    assert KEY not in text
    (last, *_) = atom.store.find(1).executions
    outputs = atom.store.get(last.id).response["outputs"]
    values = {each["developerName"]: each["contentValue"] for each in outputs}
    assert (values["Discount"], values["Key is known"]) == ("2.5", "true")

    # `atom invoke` finds the credential and the values of the connector.
    said = invoke(atom, credential="")
    assert (said["outputs"]["Discount"], said["outputs"]["Key is known"]) == ("2.5", "true")


def test_console_reads_data_and_files_of_a_configured_service(atom, browser):
    page, place = install(atom, browser, "Shop")
    form(browser, page, f"/try/configuration?{place}", **{"c-0": KEY, "c-1": "1", "c-2": "north"})
    data = browser.get(f"/try/data?{place}&type=Item")
    assert "Item 07" in data.text
    files = browser.get(f"/try/files?{place}&path=/file")
    assert "1.txt" in files.text
    assert KEY not in data.text + files.text


def test_console_names_a_configuration_value_that_is_missing(atom, browser):
    _, place = install(atom, browser, "Configured")
    url = f"{atom.url}/fs/Configured"
    atom.platform.configure(url, {"Api Key": "", "Discount": ""})
    path = f"/try/action?{place}&action=Tell"
    flow = form(browser, path, path)
    until(lambda: "Api Key" in browser.get(flow).text, "the refusal")
    assert "missing" in browser.get(flow).text.lower()


def test_invoke_runs_a_service_without_configuration(atom):
    said = invoke(atom, "-i", "Text=hello", service="Trial", action="Echo")
    assert said["status"] == "done"


def invoke(atom, *options, code=0, service="Configured", action="Tell", credential=None):
    if credential is None:
        credential = f"robot:{atom.token}" if atom.token else ""
    said = command(
        atom,
        *("invoke", service, action, "--json", "--listener", atom.url),
        *("--sandbox", atom.sandbox.url, *options),
        code=code,
        ATOM_CREDENTIAL=credential,
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


@GUARDED
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


@GUARDED
@pytest.mark.parametrize("content", ["[1]", "no JSON", '"text"'])
def test_a_file_of_values_is_an_object(atom, tmp_path, content):
    file = tmp_path / "values.json"
    file.write_text(content)
    said = invoke(atom, "--config", str(file), code=2)
    assert "Invalid value for --config" in said
