"""URLs of Redis and of brokers, as far as their libraries do not read them, or not alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from atom.errors import SettingsError

_SENTINEL_PORT: Final = 26379
_SENTINELS: Final = ("sentinel", "sentinels")
_STORES: Final = ("redis", "rediss", "unix", *_SENTINELS)
_BROKERS: Final = ("redis", "rediss", *_SENTINELS, "amqp", "amqps")
_TLS: Final = {
    *("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"),
    *("ssl_cert_reqs", "ssl_check_hostname"),
}
_OF_AMQP: Final = {*_TLS, "heartbeat", "login_method"}
_OF_SENTINEL: Final = {"sentinel_username": "username", "sentinel_password": "password"}
_KNOWN: Final = {"master_name", *_OF_SENTINEL, *_TLS}
# One that does not answer is not asked again: the next one is.
_ASKING_SENTINEL: Final = {"socket_connect_timeout": 2.0, "socket_timeout": 2.0, "retry": None}
_REQUIREMENTS: Final = ("required", "optional", "none")


@dataclass(frozen=True, kw_only=True)
class WatchedRedis:
    """A Redis of which Sentinel says where its primary is."""

    sentinels: tuple[tuple[str, int], ...]
    master_name: str
    database: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_options: Mapping[str, Any] = field(default_factory=dict, repr=False)  # of redis-py
    tls: dict[str, Any] | None = None  # of both, by redis-py's names

    @property
    def kombu_url(self) -> str:
        """The same in kombu's way, which reads all but the hosts from the first."""
        login = ""
        if self.password is not None:
            login = f"{quote(self.username or '', '')}:{quote(self.password, '')}@"
        return ";".join(
            f"sentinel://{login}{_bracketed(host)}:{port}/{self.database}"
            for host, port in self.sentinels
        )


def is_watched(url: str) -> bool:
    """Whether it is the URL of a Redis that Sentinel watches."""
    return _scheme(url) in _SENTINELS


def watched_redis(url: str) -> WatchedRedis:
    """Read `sentinel://:password@a:26379;sentinel://b:26379/0?master_name=atom`.

    Raises:
        SettingsError: it is none; the text does not hold the URL, which may hold a password.
    """
    parts = [urlsplit(each) for each in url.split(";")]
    first, last = parts[0], parts[-1]
    query = dict(parse_qsl(last.query))
    hosts = [(each.hostname, each.port or _SENTINEL_PORT) for each in parts]
    named = [(host, port) for host, port in hosts if host]
    database = last.path.strip("/") or "0"
    wrong = sorted(set(query) - _KNOWN)
    if {each.scheme for each in parts} != {first.scheme} or len(named) < len(hosts):
        raise SettingsError(f"each Sentinel must be written as {first.scheme}://host:port")
    if wrong:
        raise SettingsError(f"a URL of Sentinel has no parameter {wrong[0]!r}")
    if not database.isdecimal():
        raise SettingsError("the path of a URL of Sentinel is the number of a database, such as /0")
    if not query.get("master_name"):
        raise SettingsError(
            "a URL of Sentinel must say which Redis is meant, such as …/0?master_name=mymaster"
        )
    tls = tls_parameters(url) if first.scheme == "sentinels" else None
    login = {name: query[key] for key, name in _OF_SENTINEL.items() if key in query}
    return WatchedRedis(
        sentinels=tuple(named),
        master_name=query["master_name"],
        database=int(database),
        username=unquote(first.username) if first.username else None,
        password=unquote(first.password) if first.password else None,
        sentinel_options={**_ASKING_SENTINEL, **login, **({"ssl": True, **tls} if tls else {})},
        tls=tls,
    )


def tls_parameters(url: str) -> dict[str, Any]:
    """The `ssl_…` parameters of a URL: certificates are verified unless they say otherwise."""
    given = dict(parse_qsl(urlsplit(url.rpartition(";")[2]).query))
    verified = given.get("ssl_cert_reqs", "required") != "none"
    checked = given.get("ssl_check_hostname", str(verified)).lower() == "true"
    return {
        "ssl_cert_reqs": "required",
        **{name: value for name, value in given.items() if name in _TLS},
        "ssl_check_hostname": checked and verified,
    }


def without_tls_parameters(url: str) -> str:
    """The rest of a URL, or of several."""

    def bare(each: str) -> str:
        parts = urlsplit(each)
        kept = [pair for pair in parse_qsl(parts.query) if pair[0] not in _TLS]
        return urlunsplit(parts._replace(query=urlencode(kept)))

    return ";".join(bare(each) for each in url.split(";"))


def check_store_url(variable: str, url: str) -> None:
    """Refuse what is no URL of Redis.

    Raises:
        SettingsError: naming the variable, and not the URL, which may hold a password.
    """
    if _scheme(url) not in _STORES:
        raise SettingsError(
            f"{variable} must be a URL such as redis://127.0.0.1:6379/0 (or rediss://, or "
            "sentinel://)."
        )
    _check_parameters(variable, url)


def check_broker_url(variable: str, url: str) -> None:
    """Refuse what is no URL of a broker.

    Raises:
        SettingsError: naming the variable, and not the URL, which may hold a password.
    """
    if _scheme(url) not in _BROKERS:
        raise SettingsError(
            f"{variable} must be a URL of Redis (redis://, rediss://, sentinel://) or of RabbitMQ "
            "(amqp://, amqps://), such as amqp://user:password@127.0.0.1:5672//."
        )
    _check_parameters(variable, url)
    known = _KNOWN if is_watched(url) else _TLS if _scheme(url).startswith("redis") else _OF_AMQP
    for each in url.split(";"):
        for name in sorted(dict(parse_qsl(urlsplit(each).query)).keys() - known):
            raise SettingsError(
                f"{variable}: the URL of a broker, which is that of the store where it is empty, "
                f"has no parameter {name!r}."
            )


def no_url(variable: str) -> SettingsError:
    """What to say where the parts of a URL are not what they seem."""
    return SettingsError(
        f"{variable} is no URL, or its port is no number up to 65535; what is special in a name or "
        "password must be written as %2F (/), %23 (#), %3F (?) or %5B ([)."
    )


def _check_parameters(variable: str, url: str) -> None:
    try:
        _check_parts(url)
        if is_watched(url):
            watched_redis(url)
        if tls_parameters(url)["ssl_cert_reqs"] not in _REQUIREMENTS:
            raise SettingsError(f"ssl_cert_reqs must be one of {', '.join(_REQUIREMENTS)}")
    except SettingsError as error:
        raise SettingsError(f"{variable}: {error}.") from None
    except ValueError:  # whose text may hold a part of a password
        raise no_url(variable) from None


def _check_parts(url: str) -> None:
    scheme = _scheme(url)
    for each in url.split(";"):
        parts = urlsplit(each)
        _ = parts.port  # raises where it is none
        if scheme != "unix" and (parts.fragment or "@" in parts.path):
            raise ValueError
        if scheme in ("redis", "rediss") and not (parts.path.strip("/") or "0").isdecimal():
            raise SettingsError("the path of a URL of Redis is the number of a database: /0")
        given = sorted(_TLS & dict(parse_qsl(parts.query)).keys())
        if given and scheme in ("redis", "sentinel", "amqp"):
            raise SettingsError(f"{given[0]} is for {scheme}s://, which speaks TLS")


def _scheme(url: str) -> str:
    return url.partition("://")[0]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
