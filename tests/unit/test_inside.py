"""Who is of the inside network, going by the connection and what a proxy says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom.listener.inside import is_inside


@pytest.mark.parametrize(
    "peer", ["127.0.0.1", "10.1.2.3", "172.18.0.4", "192.168.1.1", "::1", "fd00::1", "100.64.0.9"]
)
def test_addresses_that_the_internet_cannot_route_to(peer):
    assert is_inside(peer, [])


@pytest.mark.parametrize(
    "peer", ["8.8.8.8", "2a00:1450::1", "::ffff:8.8.8.8", "172.32.0.1", "", None, "unix:/x"]
)
def test_others_and_none(peer):
    assert not is_inside(peer, [])


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_judged_as_the_address_it_maps(address):
    assert is_inside(f"::ffff:{address}", []) == is_inside(str(address), [])


# The standard library judges each of these differently in some version of Python.
@pytest.mark.parametrize(
    ("peer", "is_unroutable"),
    [
        ("192.0.0.9", True),
        ("192.0.0.170", True),
        ("192.88.99.1", False),
        ("::ffff:127.0.0.1", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b:1::1", False),
        ("2001:1::1", False),
        ("2001:20::1", False),
        ("2002::1", False),
        ("2002:7f00:1::", False),
        ("3fff::1", True),
        ("fec0::1", True),
    ],
)
def test_every_version_of_python_judges_alike(peer, is_unroutable):
    assert is_inside(peer, []) is is_unroutable


def test_a_mapped_address_is_what_it_maps():
    assert is_inside("::ffff:10.0.0.1", ["Accept"])


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Proto"]
)
def test_who_comes_through_a_proxy_comes_from_outside(header):
    assert not is_inside("127.0.0.1", ["Host", header])
