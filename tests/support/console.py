"""A whole Atom with a console of each kind, for tests of its pages."""

import contextlib

import orjson

from atom.records import CallbackState, LogLine, State, Step, StepKind
from atom.sandbox import Answer
from tests.support.executions import new_execution
from tests.support.operating import run_atom
from tests.support.ports import free_port
from tests.support.roles import TestAtom
from tests.support.waiting import until

NASTY = '<script>alert("x")</script>'
FLOWER = "http://127.0.0.1:5555/watch/"


class ConsoleAtom(TestAtom):
    """A whole Atom with a console of each kind."""

    __test__ = False

    def start_console(self, name="console", **env):
        """Its URL."""
        bind = f"127.0.0.1:{free_port()}"
        self.start(
            name, "console", **{"ATOM_CONSOLE_BIND": bind, "ATOM_FLOWER_LINK": FLOWER, **env}
        )
        self.wait_for_listener(f"http://{bind}", "/health")
        return f"http://{bind}"

    def cli(self, *arguments):
        done = run_atom(self.environment, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @contextlib.contextmanager
    def user(self, name, *options):
        """A credential for as long as the block; its token."""
        token = self.cli("credentials", "create", name, *options)
        try:
            yield token
        finally:
            self.cli("credentials", "revoke", name)


def ended(atom, flow):
    """An execution that ended."""
    return _when(atom, flow, lambda each: each.state.is_final)


def a_nasty_execution(atom):
    """One in which every text that others choose is a script."""
    request = orjson.dumps({"inputs": [{"developerName": NASTY, "contentValue": NASTY}]})
    new = new_execution(service=NASTY, action=NASTY, request=request, tenant_id=NASTY)
    atom.store.accept(new)
    claim = atom.store.claim(new.id, NASTY, NASTY)
    atom.store.record_step(claim, 0, Step(NASTY, "1", StepKind.RESULT))
    atom.store.progress(claim, NASTY, None)
    atom.store.add_log(new.id, [LogLine(claim.accepted_at, "INFO", NASTY, 1)])
    response = orjson.dumps({"invokeType": "FORWARD", "outputs": NASTY})
    atom.store.finish(claim, State.FAILED, response, NASTY)
    return new.id


def a_parked_one(atom):
    """An execution whose callback the flow refused; the next try is answered as it should be."""
    flow = atom.platform.prepare(f"{atom.url}/fs/Trial", [("No", {})])
    refused = Answer("NOT_ALLOWED")
    atom.platform.misbehave(lambda token: refused if token in flow.calls else None)
    atom.platform.send(flow)
    found = _when(atom, flow, lambda each: each.callback_state is CallbackState.PARKED)
    atom.platform.misbehave(lambda _: None)
    return found


def settled(atom, flow):
    """An execution that ended, and whose flow knows."""
    return _when(atom, flow, lambda each: each.callback_state is CallbackState.DELIVERED)


def running(atom, flow):
    """An execution in the hands of a worker."""
    return _when(atom, flow, lambda each: each.state is State.RUNNING)


def _when(atom, flow, is_so):
    return until(lambda: each if is_so(each := atom.execution_of(flow)) else None, "that it is so")
