"""How the benchmark's figures follow from what was measured."""

import pytest

from benchmarks.accept import AcceptFigures, Accepts
from benchmarks.cold import ColdStart
from benchmarks.load import Latency
from benchmarks.long_history import Histories, HistoryFigures
from benchmarks.parts import median_ratio, ratio
from benchmarks.size import SizeFigures, Sizes, slope
from benchmarks.wakeup import Wakeup, WakeupFigures


def test_a_ratio_needs_both_figures():
    assert ratio(3.0, 2.0) == 1.5
    assert ratio(None, 2.0) is None
    assert ratio(3.0, None) is None
    assert ratio(3.0, 0.0) is None


def test_ratios_are_taken_in_each_round_before_their_median():
    assert median_ratio([(10.0, 10.0), (30.0, 10.0), (8.0, 2.0)]) == 3.0
    assert median_ratio([(10.0, 10.0), (None, 10.0)]) is None


def test_a_slope_leaves_out_what_every_flow_costs():
    assert slope([1, 10, 100, 1000], [7.5, 12.0, 57.0, 507.0]) == pytest.approx(0.5)
    assert slope([1, 10], [7.5, None]) is None


def test_size_is_compared_with_json_by_the_slopes():
    sizes = Sizes([SizeFigures(1, 7.1, 0.01), SizeFigures(11, 8.1, 0.11)])
    assert sizes.ratios()["size_cpu_of_json"] == pytest.approx(10.0)
    assert Sizes([SizeFigures(1, None, 0.01), SizeFigures(2, None, 0.02)]).ratios() == {
        "size_cpu_of_json": None
    }


def test_accepts_are_compared_with_the_baseline_and_the_empty_route():
    def at(p50):
        return {number: AcceptFigures(p50 * number, 2 * p50, 100 / p50) for number in (1, 32, 256)}

    stacks = {"baseline": at(2.0), "atom": at(4.0), "alone": at(1.5), "empty": at(0.5)}
    found = Accepts([stacks]).ratios()
    assert found["accept_p50_c1"] == 2.0
    assert found["accept_p99_c256"] == 2.0
    assert found["accepts_per_second_c32"] == 0.5
    assert found["accept_p50_of_empty_c1"] == found["accept_p50_of_empty_c32"] == 8.0
    assert found["accept_alone_p50_of_empty_c256"] == 3.0


def test_a_history_is_compared_with_the_first():
    none, long = HistoryFigures(0, 5.0, 200.0, 6.0), HistoryFigures(100_000, 6.0, 180.0, 9.0)
    assert Histories([none, long]).ratios() == {
        "history_100000_accept_p50": pytest.approx(1.2),
        "history_100000_flows_per_second": pytest.approx(0.9),
        "history_100000_cpu_per_flow": pytest.approx(1.5),
    }


def test_the_way_to_a_start_that_came_before_the_answer_is_not_compared():
    atom = WakeupFigures(Latency(-0.1, 2.0), Latency(3.0, 9.0))
    baseline = WakeupFigures(Latency(0.2, 1.0), Latency(2.0, 3.0))
    found = Wakeup([{"atom": atom, "baseline": baseline}]).ratios()
    assert found == {"wakeup_callback_p50": 1.5, "wakeup_callback_p99": 3.0}


def test_cold_starts_are_compared_in_each_round():
    rounds = [{"baseline": 0.5, "atom": 1.0}, {"baseline": 1.0, "atom": 1.5}]
    assert ColdStart(rounds).ratios() == {"cold_start": 1.75}


def test_percentiles_of_few():
    assert Latency.of([0.25]) == Latency(250.0, 250.0)
    found = Latency.of([number / 1000 for number in range(101)])
    assert (found.p50_ms, found.p99_ms) == (pytest.approx(50.0), pytest.approx(99.0))
