"""`atom console` as a process: who may look, what is shown, and what never is."""

import base64
import re

import orjson
import pytest
import redis

from atom.flow.transport import Transport
from atom.records import State
from atom.settings import Settings
from atom.store import RedisStore
from atom.store.encryption import new_key
from tests.support.browser import Browser
from tests.support.console import ConsoleAtom, a_nasty_execution, ended
from tests.support.executions import new_execution
from tests.support.ports import free_port
from tests.support.waiting import until

POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; "
    "img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


@pytest.fixture(scope="module")
def atom(tmp_path_factory):
    atom = ConsoleAtom(tmp_path_factory.mktemp("console"))
    try:
        atom.start_all(["--pool=threads", "--concurrency=4"])
        yield atom
    finally:
        atom.close()


@pytest.fixture(scope="module")
def url(atom):
    """Of a console on loopback, while there are no users."""
    return atom.start_console()


def _without_our_scripts(page):
    """Files of ours are the only scripts there may be."""
    return re.sub(r'<script src="/static/[\w.-]+\.js" defer></script>', "", page)


def test_what_is_encrypted_with_another_key_is_shown_as_far_as_it_can_be(atom, url):
    settings = Settings(redis_url=atom.redis.url, secret_key=(new_key(),))
    store = RedisStore(settings)
    new = new_execution(request=b'{"inputs":"canary-request"}')
    store.accept(new)
    why = f"What is stored of execution {new.id} is encrypted, and no key in ATOM_SECRET_KEY"
    page = Browser(url).get(f"/executions/{new.id}").text
    for shown in (page, atom.cli("executions", "show", new.id)):
        assert why in " ".join(shown.split())
        assert new.state_id in shown
    assert "cancelled" in atom.cli("executions", "cancel", new.id)
    assert store.get(new.id).state is State.CANCELLED
    store.close()


def test_on_loopback_without_users_everything_is_shown(atom, url):
    inputs = {"Text": "a text to be seen", "Password": "canary-password"}
    flow = atom.run("Echo", inputs)
    execution = ended(atom, flow)
    fault = ended(atom, atom.run("No"))
    browser = Browser(url)
    overview = until(
        lambda: page if "Nothing is wrong." in (page := browser.get("/").text) else None,
        "that every role is seen",
        60,
    )
    for role in ("listener", "console", "processes", "callbacks", "recovery"):
        assert f"<td>{role}</td>" in overview
    assert ">1</dd>" in overview
    listed = browser.get("/executions")
    assert execution.id in listed.text
    assert fault.id in listed.text
    chosen = browser.get("/executions?state=faulted&service=Trial").text
    assert fault.id in chosen
    assert execution.id not in chosen

    page = browser.get(f"/executions/{execution.id}")
    for shown in ("Trial.Echo", "completed", "a text to be seen", flow.id, execution.worker):
        assert shown in page.text
    assert f'href="http://127.0.0.1:5555/watch/task/{execution.id}"' in page.text
    assert "We are closed on Sundays." in browser.get(f"/executions/{fault.id}").text
    assert browser.get("/executions/nothing").status == 404
    services = browser.get("/services").text
    assert "/fs/Trial" in services
    assert "Plain name: ä/b?" in services
    for path in ("/", "/executions", f"/executions/{execution.id}", "/services"):
        assert "canary" not in browser.get(path).text
    assert orjson.loads(browser.get("/health").body) == {"status": "ok"}


def test_the_listener_hears_nothing_of_it(atom, url):
    execution = ended(atom, atom.run("Echo", {"Text": "x"}))
    browser = Browser(url)
    before = atom.log("listener")
    for path in ("/", "/inbox", "/executions", "/executions.csv", "/services", "/services/Trial"):
        assert browser.get(path).status == 200
    assert browser.get(f"/executions/{execution.id}").status == 200
    assert atom.log("listener") == before
    ended(atom, atom.run("Echo", {"Text": "y"}))
    assert atom.log("listener") != before  # it does log what it hears


def test_without_it_flows_go_on(atom):
    url = atom.start_console("killed")
    assert Browser(url).get("/health").status == 200
    atom.kill("killed")
    flow = atom.run("Echo", {"Text": "x"})
    assert ended(atom, flow).state is State.COMPLETED
    assert flow.wait_over(120).value == "done"


def test_what_is_wrong_is_said_with_the_command_that_helps(atom, url):
    atom.cli("listeners", "pause", "Trial")
    try:
        page = Browser(url).get("/").text
    finally:
        atom.cli("listeners", "resume", "Trial")
    assert "“Trial” takes no new requests since" in page
    assert "<code>atom listeners resume Trial</code>" in page
    assert "takes no new requests" not in Browser(url).get("/").text


def test_every_answer_has_its_headers(atom, url):
    browser = Browser(url)
    style = "/static/console.css"
    for path in ("/", "/executions", "/services", "/login", "/nothing", "/health", style):
        headers = browser.get(path).headers
        assert headers["Content-Security-Policy"] == POLICY
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "same-origin"
        assert (headers["Cache-Control"] == "no-store") == (path != style)
    for path in ("/", "/executions", "/services", "/login"):
        text = browser.get(path).text
        assert "<script" not in _without_our_scripts(text)
        assert "style=" not in text
        assert "<style" not in text


def test_what_others_wrote_stays_text(atom, url):
    execution_id = a_nasty_execution(atom)
    browser = Browser(url)
    for path in (
        f"/executions/{execution_id}",
        "/executions",
        f"/executions?service={'%3Cscript%3E'}",
        "/%3Cscript%3E",
        "/login?next=%22%3E%3Cscript%3E",
    ):
        assert "<script" not in _without_our_scripts(browser.get(path).text), path
    page = browser.get(f"/executions/{execution_id}").text
    # Process (twice), error, worker, version, progress, tenant, step, log, request, response.
    assert page.count("&lt;script&gt;") >= 11


def test_older_executions_are_a_page_further(atom, url):
    for _ in range(60):
        atom.store.accept(new_execution(service="Paged"))
    browser = Browser(url)
    first = browser.get("/executions?service=Paged").text
    assert first.count('href="/executions/') == 50
    link = first.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    second = browser.get(link.replace("&amp;", "&")).text
    assert second.count('href="/executions/') == 10
    assert 'rel="next"' not in second


def test_by_another_name_it_is_not_open(url):
    """A page elsewhere whose name leads to loopback would read it, and a proxy would show it."""
    page = Browser(url).get("/executions", Host="rebound.example")
    assert (page.status, page.headers["Location"]) == (303, "/login?next=/executions")
    asked = Browser(url).get("/login", Host="rebound.example").text
    assert "atom credentials create NAME --role viewer" in asked


def test_a_user_logs_in_and_out_and_a_revoked_one_is_out(atom, url):
    with atom.user("ada", "--role", "operator") as token:
        browser, stranger = Browser(url), Browser(url)
        until(lambda: stranger.get("/").status == 303, "the console asks who comes")
        away = stranger.get("/executions?state=failed")
        assert away.headers["Location"] == "/login?next=/executions?state%3Dfailed"
        assert stranger.get("/health").status == 200

        wrong = browser.log_in("ada", token[:-1])
        assert wrong.status == 401
        assert token[:-1] not in wrong.text
        come = browser.log_in("ada", token, "/executions?state=failed")
        assert (come.status, come.headers["Location"]) == (303, "/executions?state=failed")
        cookie = browser.set_cookies[-1]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Secure" not in cookie
        page = browser.get("/")
        assert page.status == 200
        assert "ada (operator)" in page.text

        assert browser.post("/logout", {"form": page.form_token}).status == 303
        assert browser.get("/").status == 303
        assert browser.log_in("ada", token, "//elsewhere.example").headers["Location"] == "/"
        assert browser.get("/").status == 200
    until(lambda: browser.get("/").status == 303, "the revoked user is out")
    assert browser.log_in("ada", token).status == 401
    # There was one, so it does not open again.
    assert Browser(url).get("/").status == 303
    assert token.encode() not in atom.logs()


def test_over_https_the_cookie_is_for_https_alone(url):
    browser = Browser(url)
    browser.get("/login", **{"X-Forwarded-Proto": "https"})
    assert "Secure" in browser.set_cookies[-1]


@pytest.mark.parametrize("how", ["no token", "another session's token", "another origin"])
def test_a_form_of_another_site_is_refused(atom, url, how):
    with atom.user(f"user-{how[:2]}", "--role", "viewer") as token:
        browser = Browser(url)
        form = browser.get("/login").form_token
        headers = {}
        if how == "no token":
            form = ""
        elif how == "another session's token":
            form = Browser(url).get("/login").form_token
        else:
            headers = {"Origin": "https://elsewhere.example"}
        fields = {"form": form, "name": f"user-{how[:2]}", "token": token}
        assert browser.post("/login", fields, **headers).status == 403
        assert browser.get("/").status == 303


def test_users_call_no_service_and_callers_do_not_open_the_console(atom, url):
    def metadata(**headers):
        transport = Transport()
        try:
            return transport.post_json(f"{atom.url}/fs/Trial/metadata", b"{}", headers).status
        finally:
            transport.close()

    with atom.user("bea", "--role", "viewer"):
        until(lambda: Browser(url).get("/").status == 303, "the console knows of it")
        # The services are as open as they were.
        assert metadata() == 200
    with atom.user("connector") as token:
        assert Browser(url).log_in("connector", token).status == 401


def test_logins_that_fail_too_often_have_to_wait(atom, url):
    browser = Browser(url)
    form = browser.get("/login").form_token
    fields = {"form": form, "name": "guessed", "token": "wrong"}
    statuses = [browser.post("/login", fields).status for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    page = browser.post("/login", fields)
    assert page.headers["Retry-After"] == "300"
    assert "A valid token is accepted" in page.text
    assert browser.post("/login", {**fields, "name": "another"}).status == 401


@pytest.mark.parametrize("proxies", ["", "127.0.0.0/8"], ids=["not trusted", "trusted"])
def test_failures_of_others_behind_the_same_proxy_lock_nobody_out(atom, proxies):
    name = f"eve-{len(proxies)}"
    with atom.user(name, "--role", "operator") as token:
        url = atom.start_console("console-behind-proxy", ATOM_TRUSTED_PROXIES=proxies)

        def fail(number, client):
            fields = {"form": form, "name": f"guess {number}", "token": "wrong"}
            return guesser.post("/login", fields, **{"X-Forwarded-For": client}).status

        guesser = Browser(url)
        form = guesser.get("/login").form_token
        attacker = [fail(number, "made up, 203.0.113.9") for number in range(52)]
        assert attacker == [401] * 50 + [429] * 2
        # The limit holds for the client; without a trusted proxy that is everybody behind it.
        assert fail(100, "198.51.100.7") == (401 if proxies else 429)
        assert Browser(url).log_in(name, token).status == 303
        auth = base64.b64encode(f"{name}:{token}".encode()).decode()
        api = "/api/rest/v1/account/Process/query"
        assert Browser(url).post(api, {}, Authorization=f"Basic {auth}").status != 429
        atom.end("console-behind-proxy")


def test_a_copied_cookie_ends_with_the_logout_everywhere(atom):
    """Sessions are kept in the store: each console knows, and so does one that starts later."""
    environment = {"ATOM_SECRET_KEY": atom.cli("secret-key")}
    with atom.user("fay", "--role", "viewer") as token:
        one = atom.start_console("console-1", **environment)
        other = atom.start_console("console-2", **environment)
        browser, stays = Browser(one), Browser(one)
        assert browser.log_in("fay", token).status == 303
        assert stays.log_in("fay", token).status == 303
        copies = [Browser(url) for url in (one, other)]
        for copy in copies:
            copy.cookies = dict(browser.cookies)
            assert copy.get("/").status == 200
        assert browser.post("/logout", {"form": browser.get("/").form_token}).status == 303
        later = Browser(atom.start_console("console-3", **environment))
        later.cookies = dict(copies[0].cookies)
        for copy in (*copies, later):
            assert copy.get("/").status == 303
            assert copy.get("/executions.csv").status == 303
        assert stays.get("/").status == 200, "another session of the same user"
        for number in (1, 2, 3):
            atom.end(f"console-{number}")


def test_a_new_login_ends_the_session_before_it(atom):
    with atom.user("gil", "--role", "viewer") as token:
        url = atom.start_console("console-again")
        browser, copy = Browser(url), Browser(url)
        browser.log_in("gil", token)
        copy.cookies = dict(browser.cookies)
        assert copy.get("/").status == 200
        browser.log_in("gil", token)
        assert (browser.get("/").status, copy.get("/").status) == (200, 303)
        atom.end("console-again")


def test_a_session_in_redis_has_an_end_and_opens_nothing(atom):
    with atom.user("hal", "--role", "viewer") as token:
        url = atom.start_console("console-sessions")
        browser = Browser(url)
        browser.log_in("hal", token)
        with redis.Redis.from_url(atom.redis.url) as client:
            keys = [key.decode() for key in client.scan_iter("atom:session:*")]
            assert keys
            for key in keys:
                assert 0 < client.pttl(key) <= 12 * 3600 * 1000
                assert key.rpartition(":")[2] not in str(browser.cookies)
        atom.end("console-sessions")


def test_with_a_secret_key_a_session_outlives_a_restart(atom):
    with atom.user("cyd", "--role", "viewer") as token:
        bind = f"127.0.0.1:{free_port()}"
        environment = {"ATOM_CONSOLE_BIND": bind, "ATOM_SECRET_KEY": atom.cli("secret-key")}
        browser = Browser(f"http://{bind}")
        for start in range(2):
            atom.start("keyed", "console", **environment)
            atom.wait_for_listener(f"http://{bind}", "/health")
            if start == 0:
                until(lambda: browser.log_in("cyd", token).status == 303, "it knows of the user")
            assert browser.get("/").status == 200
            assert atom.end("keyed") == 0, atom.log("keyed").decode()


def test_while_redis_is_away_it_says_so(atom, url):
    atom.redis.stop()
    try:
        page = Browser(url).get("/health")
        assert page.status == 200
        away = until(
            lambda: page if (page := Browser(url).get("/login")).status == 200 else None,
            "the last known users count",
        )
        assert away.headers["Cache-Control"] == "no-store"
        fresh = Browser(atom.start_console("away"))
        page = fresh.get("/")
        assert page.status == 503
        assert "The store does not answer" in page.text
    finally:
        atom.redis.start()
