"""Parts of the console that need no process: who may come in, and how things are shown."""

from datetime import UTC, datetime

import pytest

from atom.catalog import Catalog
from atom.console import Users, create_app
from atom.console.login import Failures, _local
from atom.console.showing import clock, document
from atom.credentials import Role, create
from atom.errors import StoreUnavailable, TooManyLogins
from atom.names import flower_url
from atom.settings import Settings
from atom.store import RedisStore
from atom.store.session_store import SessionStore


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_failed_logins_are_counted_by_name_and_by_client_and_forgotten():
    clock = Clock()
    failures = Failures(clock)
    assert [failures.count("ada", f"192.0.2.{number}") for number in range(12)] == (
        [True] * 10 + [False] * 2
    ), "a name, from wherever"
    assert failures.count("bea", "192.0.2.1")
    by_client = [failures.count(f"guess {number}", "198.51.100.1") for number in range(52)]
    assert by_client == [True] * 50 + [False] * 2, "a client, whatever the name"
    assert failures.count("bea", "198.51.100.2")
    clock.now = 301
    assert failures.count("ada", "198.51.100.1")


@pytest.mark.parametrize(
    ("first", "second", "is_one_client"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "", True),
        ("unix", "unix", True),
    ],
)
def test_a_client_is_an_address_or_the_network_of_an_ipv6_address(first, second, is_one_client):
    failures = Failures()
    for number in range(50):
        assert failures.count(f"guess {number}", first)
    assert failures.count("another", second) is not is_one_client


def test_the_memory_of_failed_logins_is_bounded():
    failures = Failures()
    for number in range(6_000):
        failures.count(f"name {number}", f"address {number}")
    assert len(failures._counts) == 10_000


def test_a_valid_token_is_accepted_after_any_number_of_failures():
    ada, token = create("ada", role=Role.VIEWER)
    users = Users(lambda: [ada], is_on_loopback=False)
    refusals = 0
    for number in range(80):
        for name in ("ada", f"guess {number}"):
            try:
                assert users.log_in(name, "wrong", "192.0.2.1") is None
            except TooManyLogins:
                refusals += 1
        assert users.log_in("ada", token, "192.0.2.1") == ada
    assert refusals > 80
    with pytest.raises(TooManyLogins, match="A valid token is accepted"):
        users.log_in("ada", token[:-1], "198.51.100.1")


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
    sessions = SessionStore(settings)
    app = create_app(settings, Catalog([]), store, lambda queue: 0, users, sessions, b"secret")
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
