"""Steps, and that a replay sees what the first run saw."""

import pytest

from atom import testing
from atom.errors import StepMismatch


def test_the_first_run_sees_what_a_replay_would():
    execution = testing.execution()
    assert execution.step("pair", lambda: (1, 2)) == [1, 2]


def test_a_replay_does_not_run_a_recorded_step_again():
    journal, runs = testing.MemoryJournal(), []
    testing.execution(journal).step("once", runs.append, 1)
    testing.execution(journal, attempt=2).step("once", runs.append, 1)
    assert runs == [1]


def test_a_step_whose_name_changed_stops_the_replay():
    journal = testing.MemoryJournal()
    testing.execution(journal).step("old", lambda: 1)
    with pytest.raises(StepMismatch, match=r"“old”.*“new”"):
        testing.execution(journal, attempt=2).step("new", lambda: 1)
