"""URLs of Redis and of brokers."""

import ssl
from dataclasses import replace

import pytest

from atom.broker import BrokerAddress
from atom.errors import SettingsError
from atom.redaction import masked_url
from atom.settings import Settings
from atom.urls import tls_parameters, watched_redis, without_tls_parameters

WATCHED = (
    "sentinel://me:canary-1%3B@a:1;sentinel://b;sentinel://[::1]:3/2"
    "?master_name=x&sentinel_password=canary-2"
)


def test_a_watched_redis_is_read_from_its_url():
    watched = watched_redis(WATCHED)
    assert watched.sentinels == (("a", 1), ("b", 26379), ("::1", 3))
    assert (watched.master_name, watched.database) == ("x", 2)
    assert (watched.username, watched.password) == ("me", "canary-1;")
    assert watched.sentinel_options["password"] == "canary-2"
    assert watched.tls is None
    assert "canary" not in repr(watched)
    assert watched.kombu_url.endswith(";sentinel://me:canary-1%3B@[::1]:3/2")


def test_sentinels_is_sentinel_over_tls():
    watched = watched_redis("sentinels://a/0?master_name=x&ssl_ca_certs=/ca.pem")
    assert watched.tls["ssl_ca_certs"] == "/ca.pem"
    assert watched.sentinel_options["ssl"] is True
    assert BrokerAddress.of("sentinels://a/0?master_name=x").ssl["ssl_cert_reqs"] == "required"


def test_certificates_are_verified_unless_the_url_says_otherwise():
    assert tls_parameters("rediss://a") == {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
    assert tls_parameters("rediss://a?ssl_cert_reqs=none")["ssl_check_hostname"] is False
    assert tls_parameters("rediss://a?ssl_check_hostname=false")["ssl_check_hostname"] is False
    assert BrokerAddress.of("amqps://a").ssl["cert_reqs"] == ssl.CERT_REQUIRED
    assert "server_hostname" in BrokerAddress.of("amqps://a").ssl
    assert BrokerAddress.of("amqp://a").ssl is False


def test_the_rest_of_a_url_stays():
    url = "amqps://u:p%40@a:1//?ssl_ca_certs=/x&heartbeat=5;amqps://b//"
    assert without_tls_parameters(url) == "amqps://u:p%40@a:1//?heartbeat=5;amqps://b//"


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("http://a", "must be a URL of Redis"),
        ("sentinel://a/0", "which Redis"),
        ("sentinel://a;redis://b/0?master_name=x", "sentinel://host:port"),
        ("sentinel://a/x?master_name=x", "number of a database"),
        ("sentinel://a/0?master_name=x&sentinle=1", "no parameter 'sentinle'"),
        ("sentinel://a:x/0?master_name=x", "no URL"),
        ("rediss://a?ssl_cert_reqs=maybe", "required, optional, none"),
        ("redis://a:x/0", "no URL"),
        ("redis://a:70000/0", "no URL"),
        ("redis://a/x", "number of a database"),
        ("redis://a/0?ssl_ca_certs=/ca.pem", "ssl_ca_certs is for rediss://"),
        ("sentinel://a/0?master_name=x&ssl_cert_reqs=none", "ssl_cert_reqs is for sentinels://"),
    ],
)
def test_what_is_wrong_is_said_without_the_url(url, what):
    secret = url.replace("//", "//u:canary@", 1)
    with pytest.raises(SettingsError, match=what) as broker:
        replace(Settings(), broker_url=secret).check()
    assert "canary" not in str(broker.value)
    assert "ATOM_BROKER_URL" in str(broker.value)
    if what != "must be a URL of Redis":
        with pytest.raises(SettingsError, match=what):
            replace(Settings(), redis_url=secret).check()


@pytest.mark.parametrize("scheme", ["redis", "rediss", "sentinel", "amqp"])
@pytest.mark.parametrize("password", ["canary#1", "canary/1", "canary?1", "1/canary", "c[anary"])
def test_a_password_that_is_not_quoted_is_not_shown(scheme, password):
    url = f"{scheme}://:{password}@a:1/0?master_name=x"
    with pytest.raises(SettingsError, match="%23") as refused:
        replace(Settings(), broker_url=url).check()
    assert not any(each in str(refused.value) for each in ("canary", "anary"))


def test_a_plain_amqp_url_has_no_certificates():
    with pytest.raises(SettingsError, match="ssl_ca_certs is for amqps://"):
        replace(Settings(), broker_url="amqp://a//?ssl_ca_certs=/ca.pem").check()


@pytest.mark.parametrize("url", ["redis://a/0?socket_timeout=5", "amqp://a//?socket_timeout=5"])
def test_a_parameter_that_the_broker_does_not_take_is_named(url):
    with pytest.raises(SettingsError, match=r"ATOM_BROKER_URL: .* 'socket_timeout'"):
        replace(Settings(), broker_url=url).check()
    replace(Settings(), broker_url="amqp://a//?heartbeat=5").check()


def test_the_store_takes_parameters_where_it_is_not_the_broker():
    settings = replace(Settings(), redis_url="redis://a/0?socket_timeout=5")
    with pytest.raises(SettingsError, match=r"ATOM_BROKER_URL: .* where it is empty"):
        settings.check()
    replace(settings, broker_url="redis://a").check()


def test_a_redis_at_a_path_is_for_the_store_alone():
    settings = replace(Settings(), redis_url="unix:///run/redis.sock")
    with pytest.raises(SettingsError, match="ATOM_BROKER_URL must be a URL"):
        settings.check()
    replace(settings, broker_url="redis://a").check()


def test_the_store_is_a_redis():
    with pytest.raises(SettingsError, match="ATOM_REDIS_URL must be"):
        replace(Settings(), redis_url="amqp://a").check()


def test_no_password_of_several_urls_is_shown():
    shown = masked_url(f"{WATCHED};amqp://u:canary-3@c//")
    assert "canary" not in shown
    assert "master_name=x" in shown
    assert "sentinel://b" in shown
