"""The ServiceProblem."""

import pytest

from atom.protocol.problems import PROBLEM_KIND_HEADER, service_problem


def test_a_problem_has_every_property_of_the_protocol():
    uri = "/fs/CRM/actions/Retrieve"
    assert service_problem(uri, 400, "Name is missing.", "Retrieve") == {
        "kind": "service",
        "uri": uri,
        "statusCode": 400,
        "message": "Name is missing.",
        "action": "Retrieve",
        "invokeType": None,
        "responseBody": None,
        "responseHeaders": {},
    }
    assert PROBLEM_KIND_HEADER == "X-ManyWho-Service-Problem-Kind"


@pytest.mark.parametrize("text", ["x" * 100_000, "a\r\nb" * 1000, "a\0b"])
def test_its_message_is_one_line_of_at_most_500_characters(text):
    problem = service_problem("/fs/" + text, 404, text, None)
    for shown in (problem["message"], problem["uri"]):
        assert 0 < len(shown) <= 500
        assert not set(shown) & set("\r\n\0")
    assert problem["action"] is None
