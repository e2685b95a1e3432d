"""`atom flower` as a process beside a whole Atom: its pages, its API, and what they never show."""

import base64
import http.client
import json
import signal
import subprocess
from urllib.parse import quote

import pytest
from redis import Redis

from atom.records import State
from tests.support.operating import check_refused, command
from tests.support.ports import free_port
from tests.support.roles import SERVICES, TestAtom
from tests.support.waiting import until

USER, PASSWORD = "watcher", "canary-of-flower"
CANARIES = (
    b"canary-of-flower",
    b"canary-of-redis",
    b"canary-pin",
    b"canary-text",
    b"canary-password",
    b"Closed on Sundays",
)


class FlowerAtom(TestAtom):
    """A whole Atom, its Redis behind a password, with Flower under a prefix and a login."""

    __test__ = False

    def __init__(self, directory):
        super().__init__(directory, f"{SERVICES},tests.support.talkative")
        self.plain_url = self.redis.url
        self.make_user()
        url = self.redis.url.replace("//", "//worker:canary-of-redis@")
        self.database = directory / "kept" / "flower.db"
        self.flower_port = free_port()
        self.environment |= {
            "ATOM_REDIS_URL": url,
            "ATOM_FLOWER_BIND": f"127.0.0.1:{self.flower_port}",
            "ATOM_FLOWER_USERNAME": USER,
            "ATOM_FLOWER_PASSWORD": PASSWORD,
            "ATOM_FLOWER_PREFIX": "/watch",
            "ATOM_FLOWER_DATABASE": str(self.database),
            "ATOM_CANCEL_GRACE_SECONDS": "1",
        }

    def make_user(self):
        with Redis.from_url(self.plain_url) as client:
            client.execute_command(
                *("ACL", "SETUSER", "worker", "on", ">canary-of-redis", "~*", "&*", "+@all")
            )

    def start_flower(self):
        self.start("flower", "flower")
        until(lambda: self.ask("/healthcheck", login=None)[0] == 200, "Flower", 60)
        self.until_subscribed()

    def until_subscribed(self):
        with Redis.from_url(self.plain_url) as client:
            # What is no event reaches those who have subscribed, and they pass over it.
            until(lambda: client.publish("/0.celeryev/probe", "none"), "Flower's subscription", 60)

    def ask(self, path, method="GET", login=f"{USER}:{PASSWORD}", port=None, prefix="/watch"):
        """Status, headers and body; status 0 where nothing listens."""
        headers = {}
        if login:
            headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
        connection = http.client.HTTPConnection("127.0.0.1", port or self.flower_port, timeout=60)
        try:
            connection.request(method, prefix + path, headers=headers)
            reply = connection.getresponse()
            return reply.status, reply.headers, reply.read()
        except OSError:
            return 0, {}, b""
        finally:
            connection.close()

    def tasks(self):
        status, _, body = self.ask("/api/tasks?limit=1000")
        assert status == 200
        return json.loads(body)

    def until_seen(self, execution_id, *states):
        """The task of an execution, once Flower has seen its end, or it is in one of the states."""
        states = states or ("SUCCESS", "FAILURE", "REVOKED")
        return until(
            lambda: (
                task
                if (task := self.tasks().get(execution_id)) and task["state"] in states
                else None
            ),
            f"Flower to see {execution_id}",
            60,
        )


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    atom = FlowerAtom(tmp_path_factory.mktemp("watched"))
    try:
        atom.start_flower()
        atom.start_all()
        yield atom
    finally:
        atom.close()


def run_and_see(atom, action, inputs=None, service="Trial"):
    flow = atom.run(action, inputs, service)
    execution = until(
        lambda: each if (each := atom.execution_of(flow)).state.is_final else None, "its end"
    )
    return execution, atom.until_seen(execution.id)


def bindings(atom):
    """Who reads the events of workers, as the broker has it."""
    with Redis.from_url(atom.plain_url) as client:
        return client.smembers("_kombu.binding.celeryev")


def test_each_execution_is_a_task_with_its_id_and_name_and_none_of_its_data(watched):
    inputs = {"Text": "canary-text", "Password": "canary-password"}
    seen = {
        action: run_and_see(watched, action, inputs if action == "Echo" else None)
        for action in ("Echo", "No", "Break", "Plain name: ä/b?")
    }
    _, leaky = run_and_see(watched, "Break", {"Pin": "canary-pin"}, "Talkative")
    _, short = run_and_see(watched, "Break", {"Pin": "7q"}, "Talkative")
    for task in (leaky, short):
        assert task["exception"] == "RuntimeError: canary-reason ••••"
    assert {action: task["name"] for action, (_, task) in seen.items()} == {
        action: f"Trial.{action}" for action in seen
    }
    for execution, task in seen.values():
        assert (task["args"], task["kwargs"], task["traceback"]) == (None, None, None)
        # The result of a task is the state of the execution, and nothing of its own result.
        assert task["result"] in (repr(execution.state.value), None)
    assert {action: task["state"] for action, (_, task) in seen.items()} == {
        "Echo": "SUCCESS",
        "No": "SUCCESS",
        "Break": "FAILURE",
        "Plain name: ä/b?": "SUCCESS",
    }
    assert seen["No"][1]["result"] == repr("faulted")
    assert seen["Break"][0].state is State.FAILED

    callback = f"{seen['Echo'][0].id}.callback"
    assert watched.until_seen(callback)["name"] == "atom.deliver"
    pages = [f"/task/{execution.id}" for execution, _ in seen.values()]
    pages += [f"/task/{task['uuid']}" for task in (leaky, short)]
    pages += ["/", "/workers", "/tasks", "/broker", "/metrics", "/api/task/types"]
    pages += [f"/api/task/info/{callback}", "/api/queues/length", "/api/workers?refresh=1"]
    column = "draw=1&start=0&length=100&order[0][column]=0&order[0][dir]=asc&columns[0][data]=name"
    pages += [f"/tasks/datatable?{column}"]
    workers = until(lambda: json.loads(watched.ask("/api/workers?refresh=1")[2]), "its workers", 60)
    pages += [f"/worker/{quote(name)}" for name in workers]
    read = {page: watched.ask(page) for page in pages}
    assert {page: status for page, (status, _, _) in read.items() if status != 200} == {}
    assert b"worker:**@127.0.0.1" in read["/broker"][2]
    assert b"processes" in read["/broker"][2]
    queues = json.loads(read["/api/queues/length"][2])["active_queues"]
    assert {each["name"] for each in queues} >= {"processes", "callbacks"}
    everything = b"".join(body for _, _, body in read.values()) + watched.log("flower")
    everything += b"".join(path.read_bytes() for path in watched.database.parent.iterdir())
    assert [canary for canary in CANARIES if canary in everything] == []


@pytest.mark.parametrize(
    ("service", "action", "inputs"),
    [
        ("Trial", "Break", {}),
        ("Trial", "Wrong result", {}),
        ("Trial", "Short", {"Seconds": "10"}),  # past its deadline, and it notices
        ("Trial", "Short", {"Seconds": "60"}),  # past its deadline, until it is killed
        ("Trial", "Always dies", {}),
        ("Stubborn", "Never", {}),
    ],
)
def test_a_failed_execution_is_a_failed_task_with_the_error_of_the_history(
    watched, tmp_path, service, action, inputs
):
    if service == "Stubborn":
        inputs = {"File": str(tmp_path / "lines")}
    execution, task = run_and_see(watched, action, inputs, service)
    assert execution.state in (State.FAILED, State.TIMED_OUT)
    assert (task["state"], task["exception"]) == ("FAILURE", execution.error)
    assert (task["result"], task["traceback"]) == (None, None)


def test_an_execution_that_waits_is_a_retried_task_until_it_is_cancelled(watched, tmp_path):
    inputs = {"File": str(tmp_path / "lines")}
    flows = {
        "Waits long": watched.run("Waits long", inputs, "Stubborn"),
        "Approval": watched.run("Approval", {**inputs, "Seconds": "3600"}, "Lasting"),
    }
    waiting = {action: watched.execution_of(flow).id for action, flow in flows.items()}
    seen = {action: watched.until_seen(id, "RETRY") for action, id in waiting.items()}
    failed = watched.store.get(waiting["Waits long"])
    assert seen["Waits long"]["exception"] == failed.error != ""
    assert seen["Approval"]["exception"] == "suspended"
    command(watched, "executions", "cancel", *waiting.values())
    for execution_id in waiting.values():
        assert watched.until_seen(execution_id)["state"] == "REVOKED"


def test_an_execution_that_is_cancelled_while_it_runs_is_a_revoked_task(watched, tmp_path):
    flow = watched.run("Until cancelled", {"File": str(tmp_path / "lines")}, "Stubborn")
    execution_id = watched.execution_of(flow).id
    until(lambda: watched.store.get(execution_id).state is State.RUNNING, "its start")
    command(watched, "executions", "cancel", execution_id)
    assert watched.until_seen(execution_id)["state"] == "REVOKED"


def test_a_suspended_execution_that_times_out_is_a_failed_task(watched, tmp_path):
    inputs = {"File": str(tmp_path / "lines"), "Seconds": "3600"}
    execution_id = watched.execution_of(watched.run("Approval", inputs, "Lasting")).id
    watched.until_seen(execution_id, "RETRY")
    with Redis.from_url(watched.plain_url) as client:
        client.hset(f"atom:execution:{execution_id}", "deadline", 1)
        client.zadd("atom:deadlines", {execution_id: 1})
    task = watched.until_seen(execution_id)
    assert (task["state"], task["exception"]) == (
        "FAILURE",
        watched.store.get(execution_id).error,
    )


def test_an_execution_that_runs_again_is_seen_by_its_latest_end(watched, tmp_path):
    file = tmp_path / "lines"
    execution, task = run_and_see(watched, "Repairable", {"File": str(file)}, "Stubborn")
    assert task["state"] == "FAILURE"
    until(lambda: watched.store.get(execution.id).delivered_at, "its callback")
    file.write_text("repaired")
    command(watched, "executions", "retry", "--from-failed-step", execution.id)
    repaired = watched.until_seen(execution.id, "SUCCESS")
    assert (repaired["result"], repaired["exception"]) == (repr("completed"), None)
    file.write_text("broken")
    command(watched, "executions", "retry", "--from-start", execution.id)
    assert watched.until_seen(execution.id, "FAILURE")["result"] is None


def test_a_failed_execution_leaves_no_traceback_of_celery(watched):
    for action in ("Break", "Wrong result"):
        run_and_see(watched, action)
    assert b"celery/app/trace.py" not in watched.log("worker")


def test_the_password_is_asked_for_and_on_no_command_line(watched):
    for path in ("/", "/tasks", "/broker", "/api/tasks", "/api/workers", "/metrics"):
        for login in (None, f"{USER}:wrong", "nobody:canary-of-flower"):
            assert watched.ask(path, login=login)[0] == 401, path
    assert watched.ask("/healthcheck", login=None)[0] == 200
    shown = subprocess.run(["ps", "-eo", "args"], capture_output=True, check=True).stdout
    assert PASSWORD.encode() not in shown


def test_under_its_prefix_everything_is_found(watched):
    for path in ("/", "/watch"):
        status, headers, _ = watched.ask(path, prefix="")
        assert (status, headers["Location"]) == (301, "/watch/")
    page = watched.ask("/")[2].decode()
    assert 'href="/watch/static/' in page
    style = page.partition('href="/watch')[2].partition('"')[0]
    assert watched.ask(style)[0] == 200
    assert 'href="/watch/tasks"' in page
    assert watched.ask("/tasks", prefix="")[0] == 404


@pytest.mark.parametrize(
    "operation",
    [
        "task/revoke/{task}?terminate=true",
        "task/abort/{task}",
        "task/timeout/{task}?workername={worker}&soft=1",
        "task/rate-limit/{task}?workername={worker}&ratelimit=1",
        "task/apply/{task}",
        "task/async-apply/{task}",
        "task/send-task/{task}",
        "worker/shutdown/{worker}",
        "worker/pool/restart/{worker}",
        "worker/pool/grow/{worker}?n=1",
        "worker/pool/shrink/{worker}?n=1",
        "worker/pool/autoscale/{worker}?min=1&max=2",
        "worker/queue/add-consumer/{worker}?queue=x",
        "worker/queue/cancel-consumer/{worker}?queue=processes",
    ],
)
def test_it_only_shows(watched, operation):
    worker = next(name for name in watched.store.present("processes"))
    path = operation.format(task="Trial.Echo", worker=quote(worker))
    assert watched.ask(f"/api/{path}", "POST")[0] == 403


def test_it_announces_itself_and_takes_that_back(watched):
    until(lambda: watched.store.present("flower"), "its announcement")
    assert watched.end("flower") == 0, watched.log("flower").decode()
    assert not watched.store.present("flower")
    assert bindings(watched) == set()
    watched.start_flower()


def test_a_restart_keeps_what_was_seen(watched):
    execution, _ = run_and_see(watched, "Nothing")
    assert watched.end("flower") == 0, watched.log("flower").decode()
    watched.start_flower()
    assert watched.tasks()[execution.id]["name"] == "Trial.Nothing"


def test_a_kill_leaves_nothing_that_grows(watched):
    before = bindings(watched)
    watched.kill("flower")
    flow = watched.run("Echo", {"Text": "while nobody watched"})
    until(lambda: watched.execution_of(flow).state.is_final, "its end")
    watched.start_flower()
    assert bindings(watched) == before
    assert run_and_see(watched, "Nothing")


def test_a_broken_file_is_moved_aside(watched):
    watched.end("flower")
    files = list(watched.database.parent.iterdir())
    for path in files:
        path.write_bytes(b"\xff not what it was")
    watched.start_flower()
    assert "moving it aside" in watched.log("flower").decode()
    assert list(watched.database.parent.glob("*.corrupt"))
    assert run_and_see(watched, "Nothing")


def test_it_outlives_an_outage_of_the_broker(watched):
    watched.redis.stop()
    until(lambda: "No events of workers" in watched.log("flower").decode(), "the outage", 60)
    watched.redis.start()
    watched.make_user()
    watched.until_subscribed()
    assert run_and_see(watched, "Nothing")
    assert PASSWORD not in watched.log("flower").decode()
    assert "canary-of-redis" not in watched.log("flower").decode()


def test_on_loopback_it_needs_no_login_and_its_api_is_closed_then(watched):
    port = free_port()
    watched.start(
        "open",
        "flower",
        ATOM_FLOWER_BIND=f"127.0.0.1:{port}",
        ATOM_FLOWER_USERNAME="",
        ATOM_FLOWER_PASSWORD="",
        ATOM_FLOWER_PREFIX="",
        ATOM_FLOWER_DATABASE="",
        FLOWER_UNAUTHENTICATED_API="true",
    )

    def ask(path, method="GET"):
        return watched.ask(path, method, login=None, port=port, prefix="")

    until(lambda: ask("/healthcheck")[0] == 200, "Flower", 60)
    assert ask("/")[0] == ask("/tasks")[0] == ask("/static/css/flower.css")[0] == 200
    assert ask("/api/tasks")[0] == ask("/api/worker/shutdown/x", "POST")[0] == 401
    watched.processes["open"].send_signal(signal.SIGINT)
    assert watched.processes["open"].wait(120) == 0
    del watched.processes["open"]


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"ATOM_FLOWER_BIND": "0.0.0.0:0"}, "ATOM_FLOWER_USERNAME and ATOM_FLOWER_PASSWORD"),
        ({"ATOM_FLOWER_USERNAME": "x"}, "ATOM_FLOWER_PASSWORD is missing"),
        ({"ATOM_FLOWER_USERNAME": "é", "ATOM_FLOWER_PASSWORD": "x"}, "must be of ASCII"),
        ({"ATOM_FLOWER_BIND": "nowhere"}, "ATOM_FLOWER_BIND must be host:port"),
    ],
)
def test_what_it_refuses_to_start_with(environment, says):
    check_refused(environment, "flower", says)
