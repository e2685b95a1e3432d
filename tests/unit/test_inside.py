"""Who is of the inside network, going by the connection and what a proxy says."""

import pytest

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


def test_a_mapped_address_is_what_it_maps():
    assert is_inside("::ffff:10.0.0.1", ["Accept"])


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Proto"]
)
def test_who_comes_through_a_proxy_comes_from_outside(header):
    assert not is_inside("127.0.0.1", ["Host", header])
