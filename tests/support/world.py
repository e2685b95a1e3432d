"""A healthy Atom in one process, its flow platform, and processes beside it that die."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace

import orjson
import pytest
import redis
from werkzeug.serving import make_server

from atom.records import CallbackState
from atom.settings import Settings
from tests.support.dying import Parts
from tests.support.roles import ROOT
from tests.support.waiting import until

# What each action of the witness says, and which of its bodies ran.
OUTPUT = {
    **dict.fromkeys(("Work", "Again", "In time", "Sleeps", "Asks", "Maps", "Cleans"), "done"),
    **dict.fromkeys(("Says no", "Stops", "Cleans after a no")),
}
LINES = {"Work": ["one", "two"], "Says no": ["one", "no"], "In time": ["one"]}
LINES["Again"] = ["one", "failed"]
LINES |= {"Sleeps": ["one", "two"], "Asks": ["one"], "Maps": ["p0", "p1"], "Stops": ["no"]}
LINES |= {"Cleans": ["one", "c1", "c2"], "Cleans after a no": ["c1", "c2"]}

WITNESS = "tests.support.witness"


def points(paths):
    """Each write of each path, before and after it."""
    return [
        pytest.param(path, at, when, id=f"{path}: {when} {name} ({at})")
        for path, writes in paths.items()
        for at, name in enumerate(writes)
        for when in ("before", "after")
    ]


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Nursery:
    """Where processes that are to die come from; see `tests.support.dying`."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.dying"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, path, environment, output):
        asked = {"path": path, "environment": environment, "output": str(output)}
        return Child(self, self.ask(asked))

    def ask(self, what):
        self._process.stdin.write(f"{json.dumps(what)}\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self):
        self._process.stdin.close()
        self._process.wait(120)
        self._process.stdout.close()


class Child:
    """One of them, as far as `subprocess.Popen` would be asked."""

    def __init__(self, nursery, pid):
        self._nursery, self._pid, self._code = nursery, pid, None

    def poll(self):
        if self._code is None:
            self._code = self._nursery.ask({"pid": self._pid})
        return self._code

    def wait(self, seconds):
        until(lambda: self.poll() is not None, "a process to end", seconds)
        return self._code

    def end(self):
        if self.poll() is None:
            os.kill(self._pid, signal.SIGKILL)
            self.wait(120)


class World:
    """A healthy Atom in this process, the flow platform, and what dies beside them."""

    def __init__(self, redis_url, directory, nursery, sandbox, history_url="", secret_key=()):
        self.directory, self._nursery, self.sandbox = directory, nursery, sandbox
        self.file = directory / "lines"
        self.platform = self.sandbox.platform
        self.settings = replace(
            Settings(),
            redis_url=redis_url,
            callback_hosts=(self.sandbox.url.removeprefix("http://"),),
            progress_seconds=0.01,
            services=(WITNESS,),
            history_url=history_url,
            secret_key=secret_key,
        )
        self.raw = redis.Redis.from_url(redis_url)
        self.raw.flushall()
        self.parts = Parts(self.settings)
        self.parts.keeper.start()
        self.store = self.parts.store
        self.children = []
        self._server = make_server("127.0.0.1", 0, self.parts.app, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def close(self):
        for child in self.children:
            child.end()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.parts.keeper.hand_back()
        self.store.close()
        self.raw.close()

    # --- what dies

    def start(self, path, argument, at=-1, when="never", **env):
        environment = {
            "ATOM_REDIS_URL": self.settings.redis_url,
            "ATOM_CALLBACK_HOSTS": ",".join(self.settings.callback_hosts),
            "ATOM_PROGRESS_SECONDS": "0.01",
            "ATOM_SERVICES": WITNESS,
            "ATOM_HISTORY_URL": self.settings.history_url,
            "ATOM_SECRET_KEY": ",".join(self.settings.secret_key),
            **env,
        }
        output = self.directory / "writes"
        output.write_bytes(b"")
        child = self._nursery.start([path, argument, at, when], environment, output)
        self.children.append(child)
        return child

    def walk(self, path, argument, at=-1, when="never", **env):
        """Walk a path in a process of its own, which dies at the point where there is one."""
        code = self.start(path, argument, at, when, **env).wait(120)
        assert code == (0 if at < 0 else -9)
        return self.writes()

    def writes(self):
        return (self.directory / "writes").read_text().split()

    # --- what lives

    def flow(self, action, **inputs):
        inputs = {"File": str(self.file), **inputs}
        flow = self.platform.prepare(f"{self.url}/fs/Witness", [(action, inputs)])
        (call,) = flow.calls.values()
        return flow, call

    def accepted(self, action, **inputs):
        """A flow that waits, and its execution, whose message is lost."""
        flow, call = self.flow(action, **inputs)
        assert self.platform.ask(flow, call)
        until(lambda: self.raw.delete("processes"), "the message")
        (found,) = self.store.find(10).executions
        return flow, found.id

    def finished(self, action):
        """… which has finished, and whose callback is due."""
        flow, execution_id = self.accepted(action)
        self.parts.runner.run(execution_id, "1")
        self.raw.delete("callbacks")
        return flow, execution_id

    def pass_time(self):
        """Let leases, holds, delays and put-offs be over."""
        parents = self.store.find(10).executions
        children = [child for each in parents for child in self.store.children(each.id)]
        for each in (*parents, *children):
            key = f"atom:execution:{each.id}"
            for name in ("lease_until", "callback_due_at", "not_before", "wait_until"):
                if self.raw.hexists(key, name):
                    self.raw.hset(key, name, 1)
        for index in ("accepted", "scheduled", "suspended", "leases", "callbacks"):
            for each in self.raw.zrangebyscore(f"atom:{index}", 0, "(+inf"):
                self.raw.zadd(f"atom:{index}", {each: 1})

    def drain(self, *queues):
        """Do what the messages in the broker, or in some of its queues, say."""
        for queue in queues or ("processes", "callbacks"):
            while message := self.raw.rpop(queue):
                task_id = orjson.loads(message)["headers"]["id"]
                if queue == "callbacks":
                    self.parts.deliverer.deliver(task_id.removesuffix(".callback"))
                else:
                    self.parts.run(task_id)

    def settle(self, is_over):
        """Let recovery and workers go on until there is nothing left to do."""
        for _ in range(20):
            self.drain()
            if is_over():
                return
            self.pass_time()
            self.parts.recovery.tick()
        pytest.fail(f"never over: {self.store.find(10).executions}")

    def check(self, flow, action, repeated=""):
        """The flow moves once, with the right outputs; recorded steps ran once."""
        (found,) = self.store.find(10).executions
        if action == "Asks":
            self.store.signal(found.id, "go", '"done"', None)
        self.check_moved_once(flow, found.id, OUTPUT[action])
        self.check_lines(action, repeated)
        self.check_keys()

    def check_moved_once(self, flow, execution_id, expected="done"):
        """The flow moves once, by the callback of this execution, with this output or a fault."""
        delivered = CallbackState.DELIVERED
        self.settle(lambda: self.store.get(execution_id).callback_state is delivered)
        (event,) = flow.events_of("resumed")
        assert [call.moves for call in flow.calls.values()] == [1]
        (output,) = event.details["outputs"]
        assert output["contentValue"] == expected
        assert event.details["rootFaults"] == ({} if expected else {"No": "Not today."})

    def check_lines(self, action, repeated):
        self.check_bodies([*LINES[action], repeated])

    def check_bodies(self, lines):
        """These bodies of steps ran, in any order, each as often as its line is there."""
        assert sorted(self.file.read_text().split()) == sorted(line for line in lines if line)

    def check_keys(self):
        """Nothing stays without an expiry but the history, the counters and the queues' names."""
        kept = {"atom:failed", "atom:counters", "atom:waiting", "atom:clock"}

        def staying():
            self.drain()  # a listener publishes after its answer, and so perhaps only now
            staying = {key.decode() for key in self.raw.scan_iter() if self.raw.ttl(key) == -1}
            return {key for key in staying - kept if not key.startswith("atom:history")}

        with contextlib.suppress(AssertionError):  # the next line says what stays
            until(lambda: not staying(), "nothing to stay")
        left = staying()
        assert not left, f"these stay: {sorted(left)}"
