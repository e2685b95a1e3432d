"""The parts of an Atom in one process, and processes that kill themselves at one of their writes.

`python -m tests.support.dying` forks one for each line it reads: starting Python anew each time
would take most of the time of a test. Each walks one path, prints each write as it comes, and ends
itself with SIGKILL right `before` or `after` the write number `at` (-1: never).
"""

import json
import os
import signal
import sys
import traceback
from contextlib import redirect_stdout

from celery import signals
from werkzeug.serving import make_server

from atom.catalog import load_catalog
from atom.cli.main import main as command_line
from atom.execution.delivery import Deliverer
from atom.execution.ending import cancel
from atom.execution.keeper import LeaseKeeper
from atom.execution.recovery import Recovery
from atom.execution.runner import Limits, Runner
from atom.execution.wakeup import Waker
from atom.flow.addresses import CallbackPolicy
from atom.flow.transport import Transport
from atom.listener import Authenticator, create_app
from atom.names import execution_key
from atom.platform_api.starting import Starter
from atom.publisher import Publisher
from atom.settings import Settings
from atom.store import RedisStore, open_store, redis_part, whole_store
from atom.store.files import file_store
from atom.store.scripts import Scripts
from atom.store.sql.history import SqlHistory
from tests.support.waiting import until
from workers.holds import resume_held_executions

WRITES = {
    *("accept", "answer", "confirm_answer", "wait_finished", "wait_result", "give_up"),
    *("claim", "record_step", "progress", "finish", "hand_back", "release", "suspend"),
    *("signal", "signal_token", "take_suspended"),
    *("open_join", "spawn", "close_join", "join_progress"),
    *(
        "claim_delivery",
        "next_delivery",
        "record_delivery",
        "time_out",
        "cancel",
        "restart",
        "replay",
    ),
    *("let_go", "set_windows", "take_released"),
    *("take_scheduled", "take_unstarted", "take_lost", "take_due_callbacks", "take_overdue"),
    *("take_settled", "copy_settled", "remove_copied"),
    *("tend_families", "trim", "count", "publish", "publish_callback", "post_json"),
    # These are scripts and writes to the database; the others are methods of the parts, too.
    *("adopt", "bring_back", "delete_secrets", "dismiss", "resume_held"),
}


class Point:
    """Where the process dies, and what it wrote until then."""

    def __init__(self, at, when):
        self.at, self.when = at, when
        self.count = 0
        self._output = sys.stdout

    def pass_by(self, name, write):
        number, self.count = self.count, self.count + 1
        self._output.write(f"{name}\n")
        self._output.flush()
        if (number, "before") == (self.at, self.when):
            os.kill(os.getpid(), signal.SIGKILL)
        result = write()
        if (number, "after") == (self.at, self.when):
            os.kill(os.getpid(), signal.SIGKILL)
        return result


class Faulty:
    """A part whose writes lead past the point."""

    def __init__(self, part, point):
        self._part, self._point = part, point

    def __getattr__(self, name):
        found = getattr(self._part, name)
        if name not in WRITES:
            return found
        return lambda *given, **named: self._point.pass_by(name, lambda: found(*given, **named))


class Parts:
    """Everything that acts in an Atom, over the settings."""

    def __init__(self, settings, wrap=lambda part: part):
        self.settings = settings
        self.catalog = load_catalog(settings.services or ["tests.support.witness"])
        self.publisher = wrap(Publisher(settings.broker))
        self.bare_store = open_store(settings, on_released=Waker(self.catalog, self.publisher))
        self.store = wrap(self.bare_store)
        self.transport = wrap(
            Transport(read_timeout=30, policy=CallbackPolicy.from_settings(settings))
        )
        files = file_store(settings)
        self.keeper = LeaseKeeper(
            lambda: wrap(RedisStore(settings)),
            settings.lease_seconds,
            settings.cancel_grace_seconds,
        )
        self.runner = Runner(
            self.catalog,
            self.store,
            self.publisher,
            files,
            keeper=self.keeper,
            limits=Limits(
                lease_seconds=settings.lease_seconds,
                max_attempts=3,
                max_step_bytes=10_000,
                max_log_lines=100,
            ),
            worker=f"test:{os.getpid()}",
            make_flow_client=lambda tenant: None,
        )
        self.deliverer = Deliverer(self.store, self.publisher, self.transport, 3600)
        self.recovery = Recovery(self.catalog, self.store, self.publisher, files)
        self.app = create_app(
            settings,
            self.catalog,
            self.store,
            self.publisher,
            files,
            Authenticator(list, is_open=True, has_certificates=False),
        )

    def run(self, execution_id):
        """Run an execution as a worker of its process does."""
        envelope = self.bare_store.envelope(execution_id)
        if envelope is None:
            return self.runner.run(execution_id, "1")
        process = self.catalog.process(envelope.service, envelope.action)
        most, has_cleanup = process.options.max_concurrency, process.on_end is not None
        return self.runner.run(execution_id, "1", most, has_cleanup=has_cleanup)

    def listen(self, port):
        return make_server("127.0.0.1", port, self.app)


def count_scripts(point):
    """Lead the scripts of each new store, and the writes of its database, past the point."""
    redis_part.Scripts = lambda *given, **named: Faulty(Scripts(*given, **named), point)
    whole_store.import_sql_history = lambda: lambda url: Faulty(SqlHistory(url), point)


def walk_scripts(path, argument, point):
    """Walk a path whose writes are counted one by one; a method may consist of several."""
    count_scripts(point)
    settings = Settings.from_env()
    match path:
        case "command":
            with redirect_stdout(sys.stderr):
                command_line(json.loads(argument), standalone_mode=False)
        case "start worker":
            resume_held_executions(settings)
            signals.worker_ready.send(sender=None)
        case "run scripts":
            parts = Parts(settings)
            parts.keeper.start()
            parts.run(argument)


def main(path, argument, at, when):
    point = Point(int(at), when)
    if path in ("command", "start worker", "run scripts"):
        walk_scripts(path, argument, point)
        return
    parts = Parts(Settings.from_env(), lambda part: Faulty(part, point))
    match path:
        case "listen":
            parts.listen(int(argument)).serve_forever()
        case "run":
            parts.keeper.start()
            parts.run(argument)
        case "let go":
            parts.keeper.start()
            claim = parts.bare_store.claim(argument, "child", "1")
            before = lease_until(parts, argument)
            child_that_dies(parts, claim)
            until(lambda: lease_until(parts, argument) < before, "the lease to be let go")
            parts.keeper.hand_back()  # its thread may be about to die, after the write
        case "give back":
            parts.keeper.start()
            with parts.keeper.keep(parts.store.claim(argument, "test", "1")):
                parts.keeper.hand_back()
        case "deliver":
            parts.deliverer.deliver(argument)
        case "tick":
            parts.recovery.tick()
        case "start":
            starter(parts).start("Witness.Work", "tenant", {"File": argument}, {})
        case "cancel":
            cancel(parts.catalog, parts.store, argument)
        case "restart":
            parts.store.restart(argument, from_start=False)
        case "replay":
            parts.store.replay(argument)


def starter(parts):
    """What starts executions that no flow waits for."""
    return Starter(parts.catalog, parts.store, parts.publisher)


def child_that_dies(parts, claim):
    """A child of this worker, dead in the midst of an execution."""
    child = os.fork()
    if child == 0:
        with parts.keeper.keep(claim):
            os._exit(0)
    os.waitpid(child, 0)


def lease_until(parts, execution_id):
    return int(parts.bare_store._redis.hget(execution_key(execution_id), "lease_until"))


def fork_and_walk(asked):
    child = os.fork()
    if child:
        return child
    try:
        output = os.open(asked["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, sys.stdout.fileno())
        os.environ.update(asked["environment"])
        main(*asked["path"])
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def serve():
    """Fork for each line that asks for a path; tell of each line that asks for a pid."""
    for line in sys.stdin:
        asked = json.loads(line)
        if "path" in asked:
            told = fork_and_walk(asked)
        else:
            pid, status = os.waitpid(asked["pid"], os.WNOHANG)
            told = os.waitstatus_to_exitcode(status) if pid else None
        sys.stdout.write(f"{json.dumps(told)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
