"""How the Deliverer looks for more, by the pace of late: time passes where a test says so."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from atom import names
from atom.execution import delivery as delivery_module
from atom.publisher import Publisher

MANY = 40  # after so many a Deliverer has forgotten what it assumed in the beginning
QUICK, SLOW = 0.006, 0.1  # seconds for which a flow takes its time to answer
TAKES = 8  # so many quick ones are sent within 50 ms
# How the store is asked: without a promise to come back, with one, and for the last time.
QUIET, BACK, LAST = (), (0.1, TAKES), (0,)


class Clock:
    """Stands in for the module `time`."""

    def __init__(self):
        self.now = 0.0
        self.pauses = []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds


class WatchedStore:
    """A store that keeps how it was asked for the next delivery."""

    def __init__(self, store):
        self._store, self.asked = store, []

    def __getattr__(self, name):
        return getattr(self._store, name)

    def next_delivery(self, *given):
        self.asked.append(given)
        return self._store.next_delivery(*given)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(delivery_module, "time", clock)
    return clock


@pytest.fixture
def watched(store):
    return WatchedStore(store)


@pytest.fixture
def deliverer(make_deliverer, watched, clock):
    return make_deliverer(store=watched)


@pytest.fixture
def busy(deliverer, watched, flow, clock, finished):
    """A Deliverer that has sent many, one after the other, to a flow that answers quickly."""
    at_once = flow.answer

    def answer(wfile):
        clock.now += QUICK
        at_once(wfile)

    flow.answer = answer
    ids = [finished() for _ in range(MANY)]
    assert deliverer.deliver(ids[0]) == f"delivered {MANY}"
    watched.asked.clear()
    clock.pauses.clear()
    return deliverer


@pytest.fixture
def woken(settings):
    """How many wake-ups were published since this was last asked."""
    publisher = Publisher(settings.broker)
    counted = 0

    def count():
        nonlocal counted
        before, counted = counted, publisher.waiting("callbacks")
        return counted - before

    return count


def test_where_little_is_going_on_it_looks_once_and_does_not_promise_to_come_back(
    deliverer, watched, clock, finished
):
    assert deliverer.deliver(finished()) == "delivered"
    assert watched.asked == [QUIET]
    assert clock.pauses == []


def test_where_much_is_going_on_it_says_so_and_looks_once_more_before_it_leaves(
    busy, watched, clock, finished
):
    assert busy.deliver(finished()) == "delivered"
    assert watched.asked == [BACK, LAST]
    assert clock.pauses == [0.005]


def test_what_is_due_by_then_is_sent_as_well(busy, watched, clock, finished, monkeypatch):
    meanwhile = [finished]

    def sleep(_):
        if meanwhile:
            meanwhile.pop()()

    monkeypatch.setattr(clock, "sleep", sleep)
    assert busy.deliver(finished()) == "delivered 2"
    assert watched.asked == [BACK, LAST, BACK, LAST]


def test_after_a_while_without_any_it_does_not_promise_it_any_more(busy, watched, clock, finished):
    clock.now += 60
    assert busy.deliver(finished()) == "delivered"
    assert watched.asked == [QUIET]


def test_a_slow_flow_is_no_reason_to_be_waited_for_however_much_is_going_on(
    deliverer, watched, flow, clock, finished
):
    at_once = flow.answer
    ids = [finished() for _ in range(MANY)]

    def answer(wfile):
        """After the others: each thread's post is under way while the next one begins."""
        if ids:
            deliverer.deliver(ids.pop())
        else:
            clock.now += SLOW
        at_once(wfile)

    flow.answer = answer
    deliverer.deliver(ids.pop())
    assert len(flow.requests) == MANY
    assert watched.asked[-1] == (0, 0)
    assert clock.pauses == []


@pytest.mark.parametrize(("others", "wake_ups"), [(1 + TAKES, 0), (2 + TAKES, 1)])
def test_another_one_is_woken_only_for_what_it_cannot_take_by_itself(
    busy, woken, finished, others, wake_ups
):
    woken()
    first, *rest = [finished() for _ in range(1 + others)]
    assert busy.deliver(first) == f"delivered {1 + len(rest)}"
    assert woken() == wake_ups


@pytest.mark.parametrize(
    ("post_seconds", "stuck_seconds", "looks_too"),
    [
        pytest.param(0.001, 0, False, id="one is enough"),
        pytest.param(0.02, 0, True, id="posts take their time"),
        pytest.param(0.001, 0.06, True, id="the one may be stuck"),
    ],
)
def test_while_posts_are_quick_one_thread_looks_for_all(
    deliverer, watched, flow, clock, finished, post_seconds, stuck_seconds, looks_too
):
    at_once, of_another_thread, looked = flow.answer, [], []

    def answer(wfile):
        clock.now += post_seconds
        if len(flow.requests) == MANY + 2 and of_another_thread:
            # By now the first thread looks for more, and is in a post.
            clock.now += stuck_seconds
            before = len(watched.asked)
            deliverer.deliver(of_another_thread.pop())
            looked.append(len(watched.asked) > before)
        at_once(wfile)

    flow.answer = answer
    warming = [finished() for _ in range(MANY)]
    deliverer.deliver(warming[0])
    first, *_, last = [finished() for _ in range(4)]
    of_another_thread.append(last)
    deliverer.deliver(first)
    assert looked == [looks_too]
    assert len(flow.requests) == MANY + 4


@pytest.mark.parametrize(("post_seconds", "wake_ups"), [(0.004, {1, 2}), (0.006, {60})])
def test_who_is_quick_calls_for_help_now_and_then_and_not_for_each(
    deliverer, woken, flow, clock, finished, embedded_redis, post_seconds, wake_ups
):
    at_once, client = flow.answer, redis.Redis.from_url(embedded_redis.url)

    def answer(wfile):
        clock.now += post_seconds
        client.delete(names.WOKEN)  # whoever was called has come
        at_once(wfile)

    flow.answer = answer
    warming = [finished() for _ in range(MANY)]
    deliverer.deliver(warming[0])
    woken()
    takes = int(0.05 / post_seconds)
    first, *rest = [finished() for _ in range(1 + takes + 60 + 1)]
    assert deliverer.deliver(first) == f"delivered {1 + len(rest)}"
    assert woken() in wake_ups
    client.close()


def test_who_is_woken_for_the_rest_looks_although_another_thread_just_did(
    deliverer, flow, clock, finished, monkeypatch
):
    at_once = flow.answer

    def answer(wfile):
        clock.now += 0.001
        at_once(wfile)

    flow.answer = answer
    warming = [finished() for _ in range(MANY)]
    deliverer.deliver(warming[0])
    # So much is due that the first thread leaves the rest to the next wake-up.
    monkeypatch.setattr(delivery_module, "_LONGEST_SECONDS", 0.0045)
    first, *_ = [finished() for _ in range(12)]
    assert deliverer.deliver(first) == "delivered 5"
    with ThreadPoolExecutor(1) as another_thread:
        assert another_thread.submit(deliverer.deliver, first).result() == "delivered 5"
