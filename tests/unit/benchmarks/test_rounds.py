"""The figures of flows: their names stay, so that results can be compared over the years."""

from dataclasses import fields

from benchmarks.parts import Parameters
from benchmarks.rounds import RATIOS, Figures, Rounds, in_turns


def figures(value):
    return Figures(**{each.name: value for each in fields(Figures)} | {"upload": None})


def test_each_name_is_a_ratio_of_the_result():
    parameters = Parameters(2000, 32, 1000, 2, 30, [1000], 5, [0], 10_000)
    rounds = [
        {"baseline": figures(2.0), "dramatiq": figures(6.0), "atom": figures(3.0)},
        {"baseline": figures(4.0), "dramatiq": figures(10.0), "atom": figures(10.0)},
    ]
    of_dramatiq = dict.fromkeys((f"{name}_of_dramatiq" for name in RATIOS), 0.75)
    assert Rounds(parameters, rounds).ratios() == dict.fromkeys(RATIOS, 2.0) | of_dramatiq
    assert list(RATIOS) == [
        *("accept_p50", "accept_p99", "accepted_per_second", "flows_per_second"),
        *("cpu_ms_per_flow", "round_trip_p50", "round_trip_p99", "round_trips_per_second"),
    ]


def test_the_stack_that_goes_first_changes():
    assert [tuple(in_turns(("a", "b"), number)) for number in range(3)] == [
        ("a", "b"),
        ("b", "a"),
        ("a", "b"),
    ]
