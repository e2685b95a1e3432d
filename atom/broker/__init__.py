"""The brokers that carry the wake-ups, and how each is reached."""

from atom.broker.address import BrokerAddress

__all__ = ["BrokerAddress"]
