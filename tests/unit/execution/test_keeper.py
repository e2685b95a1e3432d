"""The pipe through which the keeper of leases learns of executions."""

import gc
import os
import resource
from contextlib import contextmanager

import pytest

from atom.execution.keeper import LeaseKeeper
from atom.records import Hold
from tests.support.waiting import until


class Store:
    """Any call succeeds; no lease is lost."""

    def renew(self, holds):
        return []


@contextmanager
def many_open_files(number):
    """Have the next descriptor be higher than `number`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < number + 200:
        pytest.fail(f"The limit of open files must be at least {number + 200}; it is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, number + 200), hard))
    descriptors = []
    try:
        while not descriptors or descriptors[-1] < number:
            descriptors.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def hold():
    return Hold(id="one", fence=1)


def test_lease_is_kept_in_a_process_with_more_than_1024_open_files(hold):
    with many_open_files(1100):
        keeper = LeaseKeeper(Store, 1.0, 1.0)
        keeper.start()
        with keeper.keep(hold):
            until(lambda: keeper.held == [hold], "the lease is kept")
        until(lambda: keeper.held == [], "the lease is no longer kept")
        keeper.hand_back()


def open_files():
    return len(os.listdir("/proc/self/fd"))


def test_keeper_that_is_gone_leaves_no_open_file(hold):
    gc.collect()
    before = open_files()
    keeper = LeaseKeeper(Store, 1.0, 1.0)
    keeper.start()
    keeper.hand_back()
    with keeper.keep(hold):  # a process that still runs in a pool of threads
        assert open_files() == before + 2
    del keeper
    gc.collect()
    assert open_files() == before
