"""A callbackUri that leads anywhere but to a flow platform is refused before anything is stored."""

import http.client
from urllib.parse import urlsplit
from uuid import uuid4

import orjson
import pytest

from tests.support.waiting import until

# All of them are listed, so that what is refused is the address and nothing else.
LITERALS = {
    "https://10.1.2.3/api/run/1/response": "private",
    "https://192.168.0.10:8443/": "private",
    "https://169.254.169.254/latest/meta-data/": "link-local",
    "https://100.100.100.200/": "shared by a carrier",
    "https://0.0.0.0/": "unspecified",
    "https://[::]/": "unspecified",
    "https://[::ffff:10.1.2.3]/": "private",
    "https://[::FFFF:7f00:1]/": "loopback",
    "https://[64:ff9b::7f00:1]/": "loopback",
    "https://[2002:7f00:1::]/": "6to4",
    "https://[fd00:ec2::254]/": "private",
    "https://[fe80::1]/": "link-local",
}
SPELLINGS = [
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://017700000001/",
    "http://127.1/",
    "http://127.0.0.1./",
    "http://127%2e0%2e0%2e1/",
    "http://[fe80::1%25eth0]/",
    "https://x@127.0.0.1/",
]
LISTED = [urlsplit(each).netloc.rpartition("@")[2] for each in (*LITERALS, *SPELLINGS)]


@pytest.fixture(scope="module")
def generous(atom):
    """The address of a listener whose operator listed them all."""
    hosts = ",".join(each for each in LISTED if "%" not in each)
    with atom.another_listener(ATOM_CALLBACK_HOSTS=f"{hosts},127.0.0.1") as url:
        yield url


def ask(url, callback_uri):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    document = {
        "token": str(uuid4()),
        "tenantId": str(uuid4()),
        "stateId": str(uuid4()),
        "callbackUri": callback_uri,
        "inputs": [{"developerName": "Text", "contentType": "ContentString", "contentValue": "x"}],
    }
    try:
        connection.request(
            "POST",
            "/fs/Trial/actions/Echo",
            orjson.dumps(document),
            {"Content-Type": "application/json"},
        )
        reply = connection.getresponse()
        return reply.status, orjson.loads(reply.read())
    finally:
        connection.close()


@pytest.fixture
def stored(atom):
    """How many executions and token keys there are; the test must not change it."""

    def count():
        return len(atom.store.find(10_000).executions), atom.count_keys("token")

    before = count()
    yield
    assert count() == before, "a refused request left something behind"


@pytest.mark.parametrize(("uri", "kind"), LITERALS.items(), ids=LITERALS)
@pytest.mark.usefixtures("stored")
def test_a_forbidden_address_is_refused_although_it_is_listed(generous, uri, kind):
    status, problem = ask(generous, uri)
    assert status == 400, problem
    assert f"({kind}) is not allowed here" in problem["message"]
    assert "ATOM_CALLBACK_NETWORKS" in problem["message"]


@pytest.mark.parametrize("uri", SPELLINGS)
@pytest.mark.usefixtures("stored")
def test_an_odd_spelling_is_refused(generous, uri):
    status, problem = ask(generous, uri)
    assert status == 400, problem
    assert "callbackUri" in problem["message"]


def test_the_same_request_with_its_own_address_is_taken(atom, generous):
    callback_uri = f"{atom.sandbox.url}/api/run/1/response"
    known = {each.id for each in atom.store.find(10_000).executions}
    status, answer = ask(generous, callback_uri)
    assert (status, answer["invokeType"]) == (200, "WAIT")
    (new,) = {each.id for each in atom.store.find(10_000).executions} - known
    # What the sandbox says to a token that it does not know is not what this is about.
    until(lambda: atom.store.get(new).callback_attempts, "the sandbox was told")
