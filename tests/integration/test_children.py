"""A process maps over items and calls other processes, end to end, on two worker processes."""

import pytest

from atom.records import State
from tests.support.operating import command, resumed
from tests.support.roles import TestAtom
from tests.support.waiting import until


@pytest.fixture(scope="module")
def atom(tmp_path_factory):
    atom = TestAtom(tmp_path_factory.mktemp("children"), "tests.support.lasting")
    try:
        atom.start_all(["--concurrency=2"])
        yield atom
    finally:
        atom.close()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "lines"


def run(atom, action, file, **inputs):
    return atom.run(action, {"File": str(file), **inputs}, service="Lasting")


def lines(file):
    return sorted(file.read_text().splitlines())


def test_a_map_gives_its_results_in_order_and_each_item_ran_once(atom, file):
    flow = run(atom, "Squares", file, Count=25)
    assert resumed(flow)[0] == {"Text": ",".join(str(n * n) for n in range(25))}
    assert lines(file) == sorted(f"{what} {n}" for n in range(25) for what in ("begin", "end"))
    found = atom.store.get(atom.execution_of(flow).id)
    assert (found.attempts, found.children) == (1, 25)
    assert found.progress == "squares: 25 of 25"
    assert [step.name for step in found.steps] == ["squares"]
    children = atom.store.children(found.id)
    assert {each.state for each in children} == {State.COMPLETED}
    assert {each.parent for each in children} == {found.id}


def test_the_flow_sees_how_many_have_ended(atom, file):
    flow = run(atom, "Squares", file, Count=20, Seconds=0.5, Concurrency=4)
    resumed(flow)
    told = [event.details["message"] for event in flow.events_of("progress")]
    assert told
    assert all(each.startswith("squares: ") and each.endswith(" of 20") for each in told)


def test_a_finished_map_tells_that_all_have_ended(atom, file):
    """Also if some ended with faults, and whatever the process does afterwards."""
    flow = run(atom, "Squares all the same", file, Count=3, Bad=1, How="fault")
    resumed(flow)
    assert atom.store.get(atom.execution_of(flow).id).progress == "squares: 3 of 3"


def test_a_stopped_map_keeps_what_it_told_last(atom, file):
    flow = run(atom, "Squares", file, Count=3, Bad=1, How="fault", Concurrency=1)
    resumed(flow)
    assert atom.store.get(atom.execution_of(flow).id).progress in ("squares: 1 of 3", None)


def test_no_more_are_under_way_than_may_be(atom, file):
    flow = run(atom, "Squares", file, Count=6, Seconds=0.3, Concurrency=2)
    resumed(flow)
    under_way = most = 0
    for line in file.read_text().splitlines():
        under_way += 1 if line.startswith("begin") else -1
        most = max(most, under_way)
    assert most == 2


def test_an_empty_map(atom, file):
    assert resumed(run(atom, "Squares", file, Count=0))[0] == {"Text": ""}


@pytest.mark.parametrize("how", ["fault", "break"])
def test_the_first_that_does_not_complete_stops_the_others(atom, file, how):
    flow = run(atom, "Squares", file, Count=40, Concurrency=2, Bad=3, How=how, Seconds=0.1)
    outputs, faults = resumed(flow)
    assert outputs == {"Text": None}
    assert list(faults) == (["Bad"] if how == "fault" else ["Failed"])
    assert "canary" not in str(faults)
    found = atom.store.get(atom.execution_of(flow).id)
    reason = "3 is bad." if how == "fault" else "failed: RuntimeError: canary-in-an-item"
    assert found.error.endswith(reason)
    until(
        lambda: all(each.state.is_final for each in atom.store.children(found.id)),
        "the others to be stopped",
    )
    states = [each.state for each in atom.store.children(found.id)]
    assert states.count(State.CANCELLED) > 30
    assert len(lines(file)) < 20
    assert atom.store.failed(50) == [] or found.id in {e.id for e in atom.store.failed(50)}


def test_faults_can_stand_in_the_places_of_their_items(atom, file):
    flow = run(atom, "Squares all the same", file, Count=4, Bad=1)
    assert resumed(flow)[0] == {"Text": "int,Fault,int,int"}
    flow = run(atom, "Squares all the same", file, Count=4, Bad=2, How="break")
    assert resumed(flow)[0] == {"Text": "int,int,StepFailed,int"}


def test_a_child_whose_worker_dies_is_run_again(atom, file):
    flow = run(atom, "Squares", file, Count=4, Bad=2, How="die once")
    assert resumed(flow)[0] == {"Text": "0,1,4,9"}
    assert lines(file) == sorted(f"{what} {n}" for n in range(4) for what in ("begin", "end"))


def test_tried_again_a_map_runs_what_did_not_complete(atom, file):
    flow = run(atom, "Squares in tries", file, Count=5, Bad=3, How="break once", Concurrency=1)
    assert resumed(flow)[0] == {"Text": "0,1,4,9,16"}
    once = [f"{what} {n}" for n in range(5) for what in ("begin", "end")]
    assert lines(file) == sorted([*once, "begin 3"])
    found = atom.store.get(atom.execution_of(flow).id)
    assert found.tries == 1
    states = [each.state for each in atom.store.children(found.id)]
    assert states == [State.COMPLETED] * 3 + [State.FAILED, State.CANCELLED] + [State.COMPLETED] * 2


def test_a_process_calls_others(atom, file):
    flow = run(atom, "Calls", file, Count=3)
    assert resumed(flow)[0] == {"Text": "0,1,4; 0,1"}
    found = atom.store.get(atom.execution_of(flow).id)
    assert [step.name for step in found.steps] == ["call Lasting.Squares"] * 2
    first, _ = atom.store.children(found.id)
    assert (first.action, first.state) == ("Squares", State.COMPLETED)
    assert len(atom.store.children(first.id)) == 3
    flow = run(atom, "Calls", file, Count=3, Bad=1)
    assert list(resumed(flow)[1]) == ["Bad"]


def test_what_cannot_be_mapped_says_why(atom, file):
    flow = atom.run("Maps a lambda", service="Lasting")
    resumed(flow)
    assert "declare it with def in a module" in atom.execution_of(flow).error


def test_map_over_other_items_in_each_attempt_is_held(atom, file):
    flow = run(atom, "Maps something else each time", file)
    parent = atom.execution_of(flow).id
    until(lambda: parent in {held.id for held in atom.store.held(10)}, "it to be held")
    assert "recorded as a map over" in atom.store.get(parent).error
    command(atom, "executions", "cancel", parent)
    assert list(resumed(flow)[1]) == ["Cancelled"]


def test_cancelling_a_parent_cancels_its_children(atom, file):
    flow = run(atom, "Squares", file, Count=10, Seconds=600, Concurrency=4)
    found = atom.execution_of(flow)
    until(lambda: file.exists() and len(lines(file)) == 4, "four to begin")
    until(lambda: atom.store.overview().suspended == 5, "them to sleep")
    command(atom, "executions", "cancel", found.id)
    assert list(resumed(flow)[1]) == ["Cancelled"]
    assert {each.state for each in atom.store.children(found.id)} == {State.CANCELLED}
    assert atom.store.overview().suspended == 0


def test_children_are_seen_under_their_parent_alone(atom, file):
    flow = run(atom, "Squares", file, Count=3)
    resumed(flow)
    found = atom.execution_of(flow)
    assert atom.store.find(1000).executions
    assert not [each for each in atom.store.find(1000).executions if each.parent]
    said = command(atom, "executions", "show", found.id)
    child = atom.store.children(found.id)[1]
    assert child.id in said
    said = command(atom, "executions", "show", child.id)
    assert found.id in said


def suspended(atom, parent, total=1):
    """Return the suspended children of a suspended execution, once there are that many."""

    def rows():
        children = atom.store.children(parent)
        rows = [child for child in children if child.state is State.SUSPENDED]
        is_suspended = atom.store.get(parent).state is State.SUSPENDED
        return rows if is_suspended and len(rows) == total else None

    return until(rows, f"{total} suspended children of {parent}")


def test_call_with_structures_survives_a_restart_of_the_workers(atom):
    """A later attempt runs in a new process: with other hashes, and other ids of objects."""
    flow = atom.run("Calls with structures", service="Lasting")
    parent = atom.execution_of(flow).id
    (called,) = suspended(atom, parent)
    restart_worker(atom)
    command(atom, "executions", "signal", called.id, "grow")

    items = suspended(atom, parent, 2)
    called = [suspended(atom, item.id)[0] for item in items]
    restart_worker(atom)
    for child in called:
        command(atom, "executions", "signal", child.id, "grow")

    assert resumed(flow) == ({"Text": "True; a,b"}, {})
    assert len(atom.store.children(parent)) == 3


def restart_worker(atom):
    atom.kill("worker")
    atom.start("worker", "worker", "--queues=processes", "--concurrency=2")
