"""Kill a role at a bad moment: the flow still resumes, once."""

import os
import signal

import pytest

from atom.records import CallbackState, State
from atom.sandbox import Answer, FlowStatus
from tests.support import waits
from tests.support.waiting import until


def only_execution(atom):
    (found,) = atom.store.find(10).executions
    return atom.store.get(found.id)


def assert_resumed_once(flow):
    assert flow.wait_over(120) is FlowStatus.DONE, flow.events
    assert [call.moves for call in flow.calls.values()] == [1]


def test_a_killed_worker_process_loses_nothing_and_a_recorded_step_does_not_run_again(
    atom, tmp_path
):
    file = tmp_path / "steps"
    flow = atom.run("Dies once", {"File": str(file)})
    assert_resumed_once(flow)
    assert file.read_text() == "ran\n"
    found = only_execution(atom)
    assert (found.attempts, [step.name for step in found.steps]) == (2, ["append"])


def test_a_process_that_always_kills_its_worker_fails_after_max_attempts(atom):
    flow = atom.run("Always dies")
    assert flow.wait_over(120) is FlowStatus.FAULTED
    found = only_execution(atom)
    assert (found.state, found.attempts) == (State.FAILED, 4)
    assert "lost 3 times" in found.error


def begun(atom, directory):
    """Return a flow whose process stands in its second step, until the file `go` is there."""
    flow = atom.run("Until told", {"Directory": str(directory)}, service="Waits")
    until(lambda: len(waits.lines(directory)) == 2, "its second step")
    return flow


def test_a_killed_worker_and_all_its_children(atom, tmp_path):
    flow = begun(atom, tmp_path)
    atom.kill("worker")
    atom.start("worker", "worker", "--queues=processes", "--concurrency=1")
    (tmp_path / "go").touch()
    assert_resumed_once(flow)
    assert only_execution(atom).attempts == 2


def test_a_stalled_worker_that_wakes_up_writes_nothing(atom, tmp_path):
    flow = begun(atom, tmp_path)
    stalled = atom.processes["worker"]
    os.killpg(stalled.pid, signal.SIGSTOP)
    (tmp_path / "go").touch()
    atom.start("worker-2", "worker", "--queues=processes", "--concurrency=1")
    assert_resumed_once(flow)
    os.killpg(stalled.pid, signal.SIGCONT)
    until(lambda: b"is no longer held by this worker" in atom.log("worker"), "its end")
    assert only_execution(atom).state is State.COMPLETED
    assert [call.moves for call in flow.calls.values()] == [1]


def test_a_callback_worker_killed_before_the_flow_answers(atom):
    atom.platform.script(Answer(hang_seconds=10, takes=True, invoke_type="SUCCESS"))
    flow = atom.run("Echo", {"Text": "x"})
    until(lambda: flow.events_of("callback"), "the callback")
    atom.kill("callbacks")
    atom.start("callbacks", "worker", "--queues=callbacks")
    until(
        lambda: only_execution(atom).callback_state is CallbackState.DELIVERED,
        "the callback to be sent again",
        90,
    )
    assert_resumed_once(flow)
    answers = [event.details["answer"] for event in flow.events_of("callback")]
    assert answers == ["SUCCESS", "TOKEN_COMPLETED"]


def test_what_was_accepted_without_workers_runs_when_they_come(atom):
    atom.end("worker")
    flow = atom.run("Echo", {"Text": "x"})
    assert only_execution(atom).state is State.ACCEPTED
    atom.start("worker", "worker", "--queues=processes", "--concurrency=1")
    assert_resumed_once(flow)


def test_a_lost_message_is_published_again(tmp_path):
    import redis

    from tests.support.roles import TestAtom

    atom = TestAtom(tmp_path, ATOM_REPUBLISH_SECONDS="1")
    try:
        atom.start_all()
        atom.end("worker")
        flow = atom.run("Echo", {"Text": "x"})
        with redis.Redis.from_url(atom.redis.url) as broker:
            until(lambda: broker.delete("processes"), "the message to be published")
        atom.start("worker", "worker", "--queues=processes", "--concurrency=1")
        assert_resumed_once(flow)
    finally:
        atom.close()


def test_redis_restarted_in_the_middle(atom, tmp_path):
    flow = begun(atom, tmp_path)
    atom.redis.stop()
    atom.redis.start()
    (tmp_path / "go").touch()
    assert_resumed_once(flow)


def test_without_redis_a_request_is_refused_and_later_accepted(atom):
    atom.redis.stop()
    flow = atom.platform.prepare(f"{atom.url}/fs/Trial", [("Echo", {"Text": "x"})])
    atom.platform.send(flow)
    (failed,) = flow.events_of("failed")
    assert failed.details["status"] == 503
    assert "nothing was started" in failed.details["message"]
    atom.redis.start()
    flow = atom.run("Echo", {"Text": "x"})
    assert_resumed_once(flow)
    assert len(atom.store.find(10).executions) == 1
    assert b"Traceback" not in atom.log("listener")


@pytest.mark.parametrize("is_known", [True, False], ids=["clock known", "clock not known"])
def test_a_request_that_was_refused_while_redis_stood_still_never_runs(atom, is_known):
    """Its command may be under way, and executed when Redis goes on."""
    if is_known:  # then the command is sent at once, else Redis is asked for its time first
        atom.run("Echo", {"Text": "x"}).wait_over(120)
    before = len(atom.store.find(10).executions)
    flow = atom.platform.prepare(f"{atom.url}/fs/Trial", [("Echo", {"Text": "y"})])
    atom.redis.process.send_signal(signal.SIGSTOP)
    try:
        atom.platform.send(flow)
    finally:
        atom.redis.process.send_signal(signal.SIGCONT)
    (failed,) = flow.events_of("failed")
    assert failed.details["status"] == 503
    message = failed.details["message"]
    assert "never will be" in message or "nothing was started" in message
    flow_after = atom.run("Echo", {"Text": "z"})  # behind what was under way
    assert_resumed_once(flow_after)
    assert len(atom.store.find(10).executions) == before + 1


def test_sigterm_ends_each_role_cleanly(atom):
    atom.run("Echo", {"Text": "x"}).wait_over(120)
    codes = {name: atom.end(name) for name in list(atom.processes)}
    assert codes == dict.fromkeys(["listener", "worker", "callbacks", "recovery"], 0)
    assert b"Traceback" not in atom.logs()
