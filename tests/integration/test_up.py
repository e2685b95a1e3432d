"""`atom up`: a whole Atom in one process tree that leaves nothing behind."""

import base64
import contextlib
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from atom.cli import running
from atom.cli.embedded_redis import EmbeddedRedis
from atom.flow.transport import Transport, TransportError
from atom.sandbox import SandboxClient
from atom.settings import Settings
from atom.store import RedisStore
from tests.support.browser import Browser
from tests.support.ports import free_port
from tests.support.roles import ROOT
from tests.support.waiting import until

ROLES = ("", "SANDBOX_", "CONSOLE_", "FLOWER_")


class Up:
    """`atom up` in a directory of its own."""

    def __init__(self, directory: Path, *options: str, **env: str) -> None:
        self.directory = directory
        self.output = directory / "output"
        self.environment = {
            **{name: value for name, value in os.environ.items() if name[:5] != "ATOM_"},
            "ATOM_SERVICES": "tests.support.services",
            # Another program may take a port that is free now, if the system gives it to anybody.
            **{f"ATOM_{name}BIND": f"127.0.0.1:{free_port()}" for name in ROLES},
            "PYTHONPATH": str(ROOT),
            **env,
        }
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "atom", "up", *options],
                cwd=directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def wait_until_up(self) -> running.Running:
        def look():
            assert self.process.poll() is None, self.text()
            return running.find(self.directory / ".atom")

        return until(look, "atom up", 90)

    def atom(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = dict(self.environment)
        del environment["ATOM_BIND"], environment["ATOM_SANDBOX_BIND"]
        return subprocess.run(
            [sys.executable, "-m", "atom", *arguments],
            cwd=self.directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(120)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def up(tmp_path):
    started = []

    def start(*options, directory=None, **env):
        directory = directory or tmp_path / f"up{len(started)}"
        directory.mkdir(exist_ok=True)
        started.append(Up(directory, *options, **env))
        return started[-1]

    yield start
    for each in started:
        each.close()


def descendants(pid: int) -> set[int]:
    """Every process below one, by /proc."""
    children: dict[int, set[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = entry.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), set()).add(int(entry.parent.name))
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            found.add(child)
            waiting.append(child)
    return found


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return False


def answers(transport: Transport, url: str) -> bool:
    with contextlib.suppress(TransportError):
        return transport.get(url, {}).status == 200
    return False


def port_is_taken(url: str) -> bool:
    host, _, port = url.rpartition("//")[2].split("/")[0].rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_flow_runs_and_a_signal_ends_everything(up, how):
    atom = up(ATOM_SHUTDOWN_SECONDS="600")  # idle roles do not wait for it to be over
    here = atom.wait_until_up()
    until(lambda: "The Atom is up." in atom.text(), "the greeting")
    assert f"{here.listener_url}/fs/Trial" in atom.text()

    called = atom.atom("invoke", "Trial", "Progress")
    assert called.returncode == 0, called.stderr
    assert "WAIT in" in called.stdout
    # Which of them the flow hears of depends on how busy the machine is.
    assert re.search(r"message \d", called.stdout)
    assert "The flow resumed with its outputs" in called.stdout

    faulted = atom.atom("invoke", "Trial", "No", "--json")
    assert faulted.returncode == 1
    document = orjson.loads(faulted.stdout)
    assert (document["status"], document["rootFaults"]) == (
        "faulted",
        {"Closed": "We are closed on Sundays."},
    )

    listed = orjson.loads(atom.atom("executions", "list", "--json").stdout)
    assert [each["state"] for each in listed] == ["faulted", "completed"]
    shown = atom.atom("executions", "show", listed[1]["id"])
    assert "callback (outcome)" in shown.stdout
    task = f"{here.flower_url}/task/{listed[1]['id']}"
    assert re.search(rf"^flower +{re.escape(task)}", shown.stdout, re.MULTILINE)
    as_json = orjson.loads(atom.atom("executions", "show", listed[1]["id"], "--json").stdout)
    assert "token" not in as_json["response"]
    assert as_json["request"]["token"] == "••••"
    assert as_json["flower_url"] == task
    transport = Transport()
    # Whether Flower saw the task depends on when it was there.
    for url in (f"{here.flower_url}/", f"{here.console_url}/executions/{listed[1]['id']}"):
        until(lambda url=url: answers(transport, url), url, 60)
    transport.close()

    tree = descendants(atom.process.pid)
    assert len(tree) >= 8
    atom.process.send_signal(how)
    assert atom.process.wait(120) == 0
    assert [pid for pid in tree if alive(pid)] == []
    here_was = (here.listener_url, here.sandbox_url, here.console_url, here.flower_url)
    for url in (*here_was, here.redis_url):
        assert not port_is_taken(url)
    assert running.find(atom.directory / ".atom") is None
    assert "Traceback" not in atom.text()


def test_a_killed_role_is_started_again_and_the_history_outlives_the_atom(up):
    atom = up()
    atom.wait_until_up()
    (worker,) = [
        pid
        for pid in descendants(atom.process.pid)
        if b"--queues=processes" in Path(f"/proc/{pid}/cmdline").read_bytes()
        and b"celery" in Path(f"/proc/{pid}/cmdline").read_bytes()
        and int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        == atom.process.pid
    ]
    os.kill(worker, signal.SIGKILL)
    until(lambda: "worker    | ended (killed by SIGKILL)" in atom.text(), "the restart")
    assert atom.atom("invoke", "Trial", "Echo", "-i", "Text=x").returncode == 0
    atom.process.terminate()
    assert atom.process.wait(120) == 0

    again = Up(atom.directory)
    try:
        again.wait_until_up()
        assert len(orjson.loads(again.atom("executions", "list", "--json").stdout)) == 1
    finally:
        again.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("restarted", ["the Atom", "the sandbox"])
def test_a_flow_that_waits_is_resumed_after_a_restart(up, tmp_path, restarted):
    """Its callback is taken by the sandbox that starts again, and not parked."""
    ports = {name: f"127.0.0.1:{free_port()}" for name in ("ATOM_BIND", "ATOM_SANDBOX_BIND")}
    atom = up(**ports, ATOM_SERVICES="tests.support.lasting")
    here = atom.wait_until_up()
    inputs = {"File": str(tmp_path / "lines"), "Seconds": "600"}
    sandbox = SandboxClient(here.sandbox_url)
    flow = sandbox.start(f"{here.listener_url}/fs/Lasting", "Approval", inputs)
    until(lambda: sandbox.flow(flow)["status"] == "waiting", "the WAIT")
    store = RedisStore(Settings(redis_url=here.redis_url))
    until(lambda: store.overview().suspended == 1, "its wait")
    (execution,) = store.find(1).executions
    store.close()
    if restarted == "the Atom":
        atom.process.terminate()
        assert atom.process.wait(120) == 0
        atom = up(directory=atom.directory, **ports, ATOM_SERVICES="tests.support.lasting")
        atom.wait_until_up()
    else:
        (pid,) = [
            pid
            for pid in descendants(atom.process.pid)
            if b"\0sandbox\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        os.kill(pid, signal.SIGKILL)
        until(lambda: "sandbox   | ended (killed by SIGKILL)" in atom.text(), "the restart")
        until(lambda: status_of(f"{here.sandbox_url}/health") == 405, "the sandbox")

    assert sandbox.flow(flow)["status"] == "waiting"
    event = '{"by": "Ada"}'
    given = atom.atom("executions", "signal", execution.id, "approval", "--event", event)
    assert given.returncode == 0, given.stderr
    *_, end = sandbox.watch(flow, 60)
    sandbox.close()
    assert end.kind == "resumed"
    assert end.details["outputs"][0]["contentValue"] == "approved by Ada"
    assert orjson.loads(atom.atom("callbacks", "list", "--json").stdout) == []
    (file,) = (atom.directory / ".atom" / "sandbox").glob("*.sqlite3")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.timeout(300)
def test_an_installed_service_outlives_a_restart_and_is_lost_with_the_key(up):
    ports = {name: f"127.0.0.1:{free_port()}" for name in ("ATOM_BIND", "ATOM_SANDBOX_BIND")}
    options = {**ports, "ATOM_SERVICES": "tests.support.configured"}
    atom = up(**options)
    here = atom.wait_until_up()
    token = atom.atom("credentials", "create", "robot").stdout.strip()
    url = f"{here.listener_url}/fs/Configured"
    pair = base64.b64encode(f"robot:{token}".encode()).decode()
    sandbox = SandboxClient(here.sandbox_url, authorization=f"Basic {pair}")
    sandbox.install(url, {"Api Key": "canary-api-key", "Discount": "2.5"})
    sandbox.close()
    (file,) = (atom.directory / ".atom" / "sandbox").glob("*.sqlite3")
    atom.process.terminate()
    assert atom.process.wait(120) == 0

    atom = up(directory=atom.directory, **options)
    atom.wait_until_up()
    # Neither the credential nor a value is given: both are those of the installed connector.
    invoked = atom.atom("invoke", "Configured", "Tell", "--json")
    assert invoked.returncode == 0, invoked.stdout + invoked.stderr
    outputs = orjson.loads(invoked.stdout)["outputs"]
    assert (outputs["Discount"], outputs["Key is known"]) == ("2.5", "true")
    kept = b"".join(each.read_bytes() for each in file.parent.iterdir())
    for secret in (token, pair, "canary-api-key"):
        assert secret.encode() not in kept
    atom.process.terminate()
    assert atom.process.wait(120) == 0

    (atom.directory / ".atom" / "secret-key").unlink()
    atom = up(directory=atom.directory, **options)
    here = atom.wait_until_up()
    refused = atom.atom("invoke", "Configured", "Tell")
    assert refused.returncode == 1
    assert "The credential that was set cannot be read" in refused.stderr
    assert "Set the service up again" in refused.stderr
    assert "Traceback" not in atom.text()
    again = atom.atom(
        *("invoke", "Configured", "Tell", "--json", "--credential", f"robot:{token}"),
        *("-c", "Api Key=canary-api-key", "-c", "Discount=3"),
    )
    assert again.returncode == 0, again.stdout + again.stderr
    set_up_in_console(here.console_url, url, token)
    invoked = atom.atom("invoke", "Configured", "Tell", "--json")
    assert orjson.loads(invoked.stdout)["outputs"]["Discount"] == "4"


def set_up_in_console(console_url, url, token):
    """Set a service up again whose credential and values were lost."""
    transport = Transport()
    until(lambda: answers(transport, f"{console_url}/health"), "the console", 60)
    transport.close()
    browser = Browser(console_url)
    start = browser.get("/try")
    assert "must be set up again" in start.text
    page = f"/try/service?url={url}"
    lost = "Its credential and its configuration values Api Key, Discount cannot be read"
    assert lost in browser.get(page).text
    fields = {"form": start.form_token, "url": url, "name": "robot", "token": token}
    assert browser.post("/try/install", fields).headers["Location"] == page
    values = {"c-0": "canary-api-key", "c-1": "4"}
    fields = {"form": browser.get(page).form_token, **values}
    assert browser.post(f"/try/configuration?url={url}", fields).status == 303
    assert "cannot be read" not in browser.get(page).text


def status_of(url):
    """The status of an answer to a POST; 0 if nobody listens."""
    transport = Transport()
    try:
        return transport.post_json(url, b"{}", {}).status
    except TransportError:
        return 0
    finally:
        transport.close()


def test_workers_stand_back_for_the_listener(up):
    atom = up()
    atom.wait_until_up()
    ours = os.getpriority(os.PRIO_PROCESS, atom.process.pid)
    found: dict[str, set[tuple[int, int]]] = {}
    for pid in descendants(atom.process.pid):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        for role in ("atom listener", "--queues=processes", "--queues=callbacks"):
            if role in command:
                stands_back = os.getpriority(os.PRIO_PROCESS, pid) - ours
                found.setdefault(role, set()).add((stands_back, os.getsid(pid)))
    # In one session: Linux shares the processors between sessions before it looks who is nice.
    session = os.getsid(atom.process.pid)
    assert found == {
        "atom listener": {(0, session)},
        "--queues=processes": {(10, session)},
        "--queues=callbacks": {(10, session)},
    }


def test_the_service_of_the_readme_is_called_as_the_readme_says(up, tmp_path):
    readme = (ROOT / "README.md").read_text()
    service = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)[0]
    (command,) = re.findall(r"^    atom (invoke .*?)  +#", readme, re.MULTILINE)
    (tmp_path / "services.py").write_text(service)
    atom = up(ATOM_SERVICES="services", PYTHONPATH=f"{ROOT}:{tmp_path}")
    atom.wait_until_up()
    called = atom.atom(*command.split())
    assert called.returncode == 0, called.stdout + called.stderr
    assert "1815-12-10T00:00:00.000Z" in called.stdout
    nobody = atom.atom(*command.replace("Ada", "Nobody").split())
    assert nobody.returncode == 1
    assert "Nobody is called Nobody." in nobody.stdout


def test_an_external_redis_is_used_and_left_running(up, embedded_redis: EmbeddedRedis):
    atom = up(ATOM_REDIS_URL=embedded_redis.url)
    here = atom.wait_until_up()
    assert here.redis_url == embedded_redis.url
    atom.process.terminate()
    assert atom.process.wait(120) == 0
    assert port_is_taken(embedded_redis.url)
    assert not (atom.directory / ".atom/redis").exists()


def refused(atom: Up) -> str:
    """The one sentence of an `atom up` that does not start."""
    assert atom.process.wait(120) == 1, atom.text()
    assert "Traceback" not in atom.text()
    lines = atom.text().strip().splitlines()
    assert lines[-1].startswith("atom: "), atom.text()
    assert descendants(atom.process.pid) == set()
    return lines[-1]


@pytest.mark.parametrize("variable", ["ATOM_BIND", "ATOM_SANDBOX_BIND"])
def test_a_port_in_use(up, variable):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        sentence = refused(up(**{variable: address}))
    assert address in sentence
    assert variable in sentence


@pytest.mark.parametrize("role", ["console", "flower"])
def test_an_extra_role_whose_port_is_in_use_is_left_out(up, role):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        atom = up(**{f"ATOM_{role.upper()}_BIND": address})
        here = atom.wait_until_up()
        assert f"Without the {role}. Cannot listen on {address}" in atom.text()
        assert getattr(here, f"{role}_url") == ""
        until(lambda: "The Atom is up." in atom.text(), "the greeting")
        assert f"  {role} " not in atom.text()


def test_an_extra_role_that_does_not_stay_does_not_end_the_atom(up):
    # Only Flower minds: nobody would be asked who looks.
    atom = up(ATOM_FLOWER_BIND="0.0.0.0:0")
    atom.wait_until_up()
    until(lambda: "The rest goes on without it." in atom.text(), "that it is left alone", 90)
    assert atom.atom("invoke", "Trial", "Echo", "-i", "Text=x").returncode == 0
    assert atom.process.poll() is None


def test_a_missing_service_module(up):
    sentence = refused(up(ATOM_SERVICES="not_there.at_all"))
    assert "not_there" in sentence
    assert "ATOM_SERVICES" in sentence


def test_no_service(up):
    assert "ATOM_SERVICES" in refused(up(ATOM_SERVICES=""))


def test_a_redis_that_does_not_answer(up):
    sentence = refused(up(ATOM_REDIS_URL="redis://:canary@127.0.0.1:1/0"))
    assert "127.0.0.1:1" in sentence
    assert "ATOM_REDIS_URL" in sentence
    assert "canary" not in sentence


def test_a_wrong_setting(up):
    assert "ATOM_LEASE_SECONDS" in refused(up(ATOM_LEASE_SECONDS="soon"))


def test_address_for_metrics_is_reported_as_ignored(up):
    atom = up(ATOM_METRICS_BIND="127.0.0.1:9464", ATOM_SERVICES="no_such_module")
    assert atom.process.wait(120) == 1
    assert re.search(r"ATOM_METRICS_BIND is ignored .*/metrics", atom.text(), re.DOTALL)


def test_an_address_that_is_open_to_others(up):
    assert "ATOM_BIND" in refused(up(ATOM_BIND="0.0.0.0:0"))


def test_a_second_atom_in_the_same_directory(up):
    atom = up()
    atom.wait_until_up()
    second = Up(atom.directory)
    # Its output replaced the first one's file; the first Atom goes on.
    assert second.process.wait(120) == 1
    assert "An Atom runs in this directory already" in second.text()
    assert atom.process.poll() is None
