"""The client's address behind proxies: only what a trusted proxy wrote counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom.cli.trusted_proxies import TrustedProxies
from atom.errors import SettingsError
from atom.settings import Settings

TRUSTED = ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "2001:db8:ffff::/48")


def seen(peer, networks=TRUSTED, **headers):
    """Return the address and the scheme that the app sees."""
    environments = []
    app = TrustedProxies(lambda environ, _: environments.append(environ), networks)
    app({"REMOTE_ADDR": peer, "wsgi.url_scheme": "http", **headers}, None)
    (environ,) = environments
    return environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", "192.0.2.1, 10.0.0.2", "192.0.2.1"),
        ("10.0.0.1", "203.0.113.9, 192.0.2.1, 10.0.0.3,10.0.0.2", "192.0.2.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.1, unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "192.0.2.1:4711", "192.0.2.1"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("10.0.0.1", "[2001:db8::1]", "2001:db8::1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("::1", "::ffff:192.0.2.1", "192.0.2.1"),
        ("::ffff:10.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("2001:db8:ffff::1", "192.0.2.1", "192.0.2.1"),
        ("192.0.2.7", "203.0.113.9", "192.0.2.7"),
        ("2001:db8::7", "203.0.113.9", "2001:db8::7"),
        ("", "203.0.113.9", ""),
    ],
)
def test_the_client_is_the_last_address_that_is_no_trusted_proxy(peer, forwarded, client):
    assert seen(peer, HTTP_X_FORWARDED_FOR=forwarded)[0] == client


@given(
    made_up=st.lists(st.one_of(st.text(max_size=20), st.ip_addresses().map(str)), max_size=4),
    client=st.ip_addresses(network="203.0.113.0/24").map(str),
    hops=st.lists(st.ip_addresses(network="10.0.0.0/8").map(str), max_size=3),
    is_trusted=st.booleans(),
)
def test_a_client_cannot_choose_the_address_it_is_known_by(made_up, client, hops, is_trusted):
    if is_trusted:
        forwarded = ", ".join([*made_up, client, *hops])
        peer = "10.0.0.1"
    else:
        forwarded, peer = ", ".join(made_up), client
    assert seen(peer, HTTP_X_FORWARDED_FOR=forwarded)[0] == client


@pytest.mark.parametrize(
    ("peer", "header", "scheme"),
    [
        ("10.0.0.1", "https", "https"),
        ("10.0.0.1", "http, HTTPS", "https"),
        ("10.0.0.1", "https, http", "http"),
        ("10.0.0.1", "javascript", "http"),
        ("192.0.2.7", "https", "http"),
    ],
)
def test_a_trusted_proxy_names_the_scheme(peer, header, scheme):
    assert seen(peer, HTTP_X_FORWARDED_PROTO=header)[1] == scheme


def test_without_trusted_proxies_the_peer_is_the_client():
    headers = {"HTTP_X_FORWARDED_FOR": "192.0.2.1", "HTTP_X_FORWARDED_PROTO": "https"}
    assert seen("127.0.0.1", (), **headers) == ("127.0.0.1", "http")


@pytest.mark.parametrize("value", ["proxy.example", "10.0.0.1/8", "10.0.0.0/8,*"])
def test_a_value_that_is_not_a_network_is_refused(value, monkeypatch):
    monkeypatch.setenv("ATOM_TRUSTED_PROXIES", value)
    with pytest.raises(SettingsError, match=r"ATOM_TRUSTED_PROXIES: .* is not a network"):
        Settings.from_env()


def test_the_proxies_of_this_machine_are_trusted_unless_others_are_set(monkeypatch):
    assert seen("127.0.0.1", Settings().trusted_proxies, HTTP_X_FORWARDED_FOR="192.0.2.1") == (
        "192.0.2.1",
        "http",
    )
    monkeypatch.setenv("ATOM_TRUSTED_PROXIES", "")
    assert Settings.from_env().trusted_proxies == ()
