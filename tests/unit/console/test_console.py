"""Parts of the console that need no process: who may come in, and how things are shown."""

from datetime import UTC, datetime

import pytest

from atom.catalog import Catalog
from atom.console import Users, create_app
from atom.console.login import Attempts, _local
from atom.console.showing import clock, document
from atom.credentials import Role, create
from atom.errors import StoreUnavailable
from atom.names import flower_url
from atom.settings import Settings
from atom.store import RedisStore


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_failed_logins_are_counted_by_address_and_name_and_forgiven():
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(10):
        assert not attempts.are_too_many("here", "ada")
        attempts.failed("here", "ada")
    assert attempts.are_too_many("here", "ada")
    assert not attempts.are_too_many("there", "ada")
    assert not attempts.are_too_many("here", "bea")
    for number in range(40):
        attempts.failed("here", f"guess {number}")
    assert attempts.are_too_many("here", "bea")
    clock.now = 301
    assert not attempts.are_too_many("here", "ada")
    assert not attempts.are_too_many("here", "bea")


def test_what_is_remembered_of_failed_logins_is_bounded():
    attempts = Attempts()
    for number in range(12_000):
        attempts.failed(f"address {number}", "ada")
    assert len(attempts._failed) == 10_000


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/executions?state=failed", "/executions?state=failed"),
        ("", "/"),
        ("https://elsewhere.example", "/"),
        ("//elsewhere.example", "/"),
        ("/\\elsewhere.example", "/"),
        ("/\t/elsewhere.example", "/"),
        ("executions", "/"),
    ],
)
def test_a_login_leads_on_to_pages_of_ours_alone(path, leads_to):
    assert _local(path) == leads_to


def app_of(users, url="redis://127.0.0.1:1/0"):
    settings = Settings(redis_url=url)
    store = RedisStore(settings)
    app = create_app(settings, Catalog([]), store, lambda queue: 0, users, b"secret")
    return app.test_client()


def test_elsewhere_than_on_loopback_a_login_is_needed_although_nobody_can():
    client = app_of(Users(list, is_on_loopback=False))
    for path in ("/", "/executions", "/services", "/nothing"):
        reply = client.get(path)
        assert (reply.status_code, reply.headers["Location"][:12]) == (303, "/login?next=")
    assert "atom credentials create NAME --role viewer" in client.get("/login").text
    assert client.get("/health").status_code == 200


def test_a_user_of_the_same_name_made_later_is_another_one():
    first, token = create("ada", role=Role.VIEWER)
    again, other = create("ada", role=Role.VIEWER)
    known = [first]
    users = Users(lambda: known, is_on_loopback=True)
    assert users.log_in("ada", token, "here") == first
    assert users.log_in("ada", other, "here") is None
    since = first.created_at.isoformat()
    assert users.still("ada", since) == first
    assert Users(lambda: [again], is_on_loopback=True).still("ada", since) is None
    assert users.still("bea", since) is None


def test_callers_of_services_are_no_users():
    connector, token = create("boomi")
    users = Users(lambda: [connector], is_on_loopback=True)
    assert users.log_in("boomi", token, "here") is None
    assert not users.are_there()


@pytest.mark.parametrize("host", ["localhost", "localhost:8078", "127.0.0.1:8078", "[::1]:8078"])
def test_this_machine_has_several_names(host):
    client = app_of(Users(list, is_on_loopback=True))
    # Without a store there is nothing to show, and no login is asked for.
    assert client.get("/services", headers={"Host": host}).status_code == 503
    assert client.get("/services", headers={"Host": "rebound.example"}).status_code == 303


def test_who_cannot_be_known_is_not_let_in():
    def away():
        raise StoreUnavailable("away")

    reply = app_of(Users(away, is_on_loopback=True)).get("/")
    assert reply.status_code == 503
    assert reply.headers["X-Frame-Options"] == "DENY"
    assert "Redis" not in reply.text


def test_what_breaks_is_told_without_a_traceback(caplog):
    def broken():
        raise RuntimeError("canary")

    reply = app_of(Users(broken, is_on_loopback=True)).get("/")
    assert reply.status_code == 500
    assert "canary" not in reply.text
    assert "GET / failed" in caplog.text


def test_a_form_that_is_too_large_is_refused():
    client = app_of(Users(list, is_on_loopback=True))
    assert client.post("/login", data={"form": "x" * 20_000}).status_code == 413


def test_how_times_documents_and_links_are_shown():
    assert clock(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02 03:04:05"
    assert clock(None) == ""
    assert document({"a": "é"}) == '{\n  "a": "é"\n}'
    cut = document("x" * 300_000)
    assert len(cut) < 201_000
    assert cut.endswith("shows all of it)")
    assert flower_url("http://h/flower/", "id") == "http://h/flower/task/id"
    assert flower_url("", "id") == ""
