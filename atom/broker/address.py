"""A broker's URL in kombu's terms, the same ones for who publishes and who consumes."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import urlsplit

from kombu import Exchange, Queue

from atom.urls import is_watched, tls_parameters, watched_redis, without_tls_parameters

_VERIFY_MODES: Final = {
    "required": ssl.CERT_REQUIRED,
    "optional": ssl.CERT_OPTIONAL,
    "none": ssl.CERT_NONE,
}
# The default exchange: straight to the queue of that name, no binding to look up.
DIRECT: Final = Exchange("")


@dataclass(frozen=True, kw_only=True)
class BrokerAddress:
    """Where a broker is, and with which of our transports it is spoken to.

    kombu is given one URL. Were it given several, it would go from one to the next with the
    transport that it knows for their scheme; so ours are told of all hosts.
    """

    url: str
    all_urls: str  # for who uses kombu's transports
    transport: str
    ssl: dict[str, Any] | bool = False
    options: Mapping[str, Any] = field(default_factory=dict)  # of the transport
    is_redis: bool

    @classmethod
    def of(cls, url: str) -> Self:
        """Read `ATOM_BROKER_URL`, which the settings have checked."""
        if is_watched(url):
            return cls._of_watched_redis(url)
        scheme = urlsplit(url).scheme
        if scheme.startswith("amqp"):
            return cls._of_rabbitmq(url)
        is_tls = scheme == "rediss"
        plain = without_tls_parameters(url) if is_tls else url
        return cls(
            url=plain,
            all_urls=plain,
            transport="atom.broker.redis:Transport",
            ssl=tls_parameters(url) if is_tls else False,
            is_redis=True,
        )

    @classmethod
    def _of_watched_redis(cls, url: str) -> Self:
        watched = watched_redis(url)
        return cls(
            url=watched.kombu_url.partition(";")[0],
            all_urls=watched.kombu_url,
            transport="atom.broker.redis:SentinelTransport",
            ssl=watched.tls or False,
            options={
                "master_name": watched.master_name,
                "sentinels": watched.sentinels,
                "sentinel_kwargs": watched.sentinel_options,
            },
            is_redis=True,
        )

    @classmethod
    def _of_rabbitmq(cls, url: str) -> Self:
        plain = without_tls_parameters(url)
        parts = [urlsplit(each) for each in plain.split(";")]
        return cls(
            url=plain.partition(";")[0],
            all_urls=plain,
            transport="atom.broker.rabbitmq:Transport",
            ssl=_tls_of_amqp(url) if parts[0].scheme == "amqps" else False,
            options={"hosts": [(each.hostname, each.port) for each in parts]},
            is_redis=False,
        )

    def queue(self, name: str) -> Queue:
        """One of our queues, as whoever is the first to need it declares it."""
        return Queue(name, DIRECT, routing_key=name) if self.is_redis else quorum_queue(name)


def quorum_queue(name: str) -> Queue:
    """A queue of RabbitMQ: on disk, and replicated where it has more nodes than one.

    Whoever declares it has to say the same of it.
    """
    return Queue(name, DIRECT, routing_key=name, queue_arguments={"x-queue-type": "quorum"})


def _tls_of_amqp(url: str) -> dict[str, Any]:
    """The same parameters by py-amqp's names; without them nothing would be verified."""
    given = tls_parameters(url)
    options: dict[str, Any] = {"cert_reqs": _VERIFY_MODES[given["ssl_cert_reqs"]]}
    for theirs in ("ca_certs", "certfile", "keyfile"):
        if f"ssl_{theirs}" in given:
            options[theirs] = given[f"ssl_{theirs}"]
    if given["ssl_check_hostname"]:
        options["server_hostname"] = None  # for the transport: the host that it connects to
    return options
