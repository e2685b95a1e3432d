"""Who is let in where there are no users, and what is said while the store is away."""

import pytest

from atom.catalog import Catalog
from atom.console import Users
from atom.errors import StoreUnavailable
from atom.platform_api import create_app, mounted
from atom.platform_api.access import _LOOKING
from atom.publisher import Publisher
from atom.service import FlowService
from atom.settings import Settings
from atom.store import RedisStore

ELSEWHERE = "redis://127.0.0.1:1/0"


def app_of(users, names=()):
    service = FlowService("CRM")
    for name in names:
        service.message_action(name)(lambda request, execution: None)
    catalog, store = Catalog([service]), RedisStore(Settings(redis_url=ELSEWHERE))
    return create_app(catalog, store, Publisher(ELSEWHERE), users, 1000)


@pytest.mark.parametrize("host", ["localhost:8078", "127.0.0.1:8078", "[::1]:8078"])
def test_while_there_are_no_users_this_machine_alone_calls_by_its_own_name(host):
    client = app_of(Users(list, is_on_loopback=True)).test_client()
    assert client.get("/acme/Process/CRM", headers={"Host": host}).status_code == 404
    reply = client.get("/acme/Process/CRM", headers={"Host": "rebound.example"})
    assert reply.status_code == 401
    for origin in ("null", "http://[", "http://rebound.example"):
        reply = client.post("/acme/cancelExecution/1", headers={"Host": host, "Origin": origin})
        assert (reply.status_code, reply.json["@type"]) == (403, "Error")


def test_elsewhere_nobody_calls_while_there_are_no_users():
    client = app_of(Users(list, is_on_loopback=False)).test_client()
    assert client.get("/acme/Process/CRM", headers={"Host": "localhost"}).status_code == 401
    assert client.get("/acme/nothing", headers={"Host": "localhost"}).status_code == 401


def test_while_the_store_is_away_it_says_so():
    client = app_of(Users(list, is_on_loopback=True), ["Run"]).test_client()
    reply = client.post("/acme/ExecutionRequest", json={"processId": "CRM.Run"})
    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "5")
    assert "nothing was started" in reply.json["message"]
    for reply in (
        client.post("/acme/ExecutionRecord/query"),
        client.post("/acme/cancelExecution/1"),
        client.post("/acme/changeListenerStatus", json={"action": "resume_all"}),
    ):
        assert reply.status_code == 503
        assert reply.json == {
            "@type": "Error",
            "message": "The store does not answer; try again.",
        }
        assert reply.headers["Retry-After"] == "5"


def test_who_cannot_be_known_is_not_let_in():
    def away():
        raise StoreUnavailable("away")

    client = app_of(Users(away, is_on_loopback=True)).test_client()
    assert client.get("/acme/Atom/flow-atom").status_code == 503


def test_whatever_is_not_named_as_looking_is_for_operators():
    app = app_of(Users(list, is_on_loopback=True))
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    assert endpoints >= _LOOKING
    assert endpoints - _LOOKING == {
        "execution_requests.create",
        "execution_requests.execute",
        "execution_requests.cancel",
        "listener_changes.change",
    }


def test_a_request_may_not_be_too_large():
    client = app_of(Users(list, is_on_loopback=True)).test_client()
    reply = client.post("/acme/ExecutionRequest", data=b"x" * 1001)
    assert (reply.status_code, reply.json["@type"]) == (413, "Error")


def test_processes_come_in_pages():
    names = [f"Action {number:03}" for number in range(150)]
    client = app_of(Users(list, is_on_loopback=True), names).test_client()
    first = client.post("/acme/Process/query", json={}).json
    second = client.post("/acme/Process/queryMore", data=first["queryToken"]).json
    assert (first["numberOfResults"], second["numberOfResults"]) == (100, 50)
    assert "queryToken" not in second
    found = [each["id"] for each in first["result"] + second["result"]]
    assert found == [f"CRM.{each}" for each in names]
    quoted = client.post("/acme/Process/queryMore", data=f'"{first["queryToken"]}"').json
    assert quoted == second
    assert client.post("/acme/Process/queryMore", data="e30=").status_code == 400


def test_the_console_keeps_its_own_paths():
    api = app_of(Users(list, is_on_loopback=True))

    def console(environ, start_response):
        start_response("200 OK", [])
        return [environ["PATH_INFO"].encode()]

    said = []
    both = mounted(api, console)

    def ask(path):
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
            "REMOTE_ADDR": "127.0.0.1",
        }
        body = b"".join(both(environ, lambda status, headers: said.append(status)))
        return said[-1][:3], body

    assert ask("/executions") == ("200", b"/executions")
    assert ask("/api/rest/v2/x") == ("200", b"/api/rest/v2/x")
    assert ask("/api/rest/v1/acme/Process/CRM.x")[0] == "404"
