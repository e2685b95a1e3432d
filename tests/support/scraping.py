"""Reading a role's `/metrics`, as Prometheus does."""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from atom.flow.transport import Transport


@dataclass(frozen=True)
class Scraped:
    """What one look at a role told."""

    text: str

    @property
    def samples(self) -> Iterator[Sample]:
        for family in text_string_to_metric_families(self.text):
            yield from family.samples

    def sum(self, metric: str, **labels: str) -> float:
        """The sum of the samples of a name that have these labels."""
        return sum(
            each.value
            for each in self.samples
            if each.name == metric and labels.items() <= each.labels.items()
        )

    def values(self, metric: str, label: str, **labels: str) -> dict[str, float]:
        """Label → value of the samples of a name, of those that are not 0."""
        found: dict[str, float] = {}
        for each in self.samples:
            if each.name == metric and labels.items() <= each.labels.items() and each.value:
                word = each.labels[label]
                found[word] = found.get(word, 0) + each.value
        return found

    @property
    def names(self) -> dict[str, set[str]]:
        """Name → its labels."""
        found: dict[str, set[str]] = {}
        for each in self.samples:
            found.setdefault(each.name, set()).update(each.labels)
        return found


def scrape(url: str) -> Scraped:
    """Read `/metrics` below a URL."""
    transport = Transport()
    try:
        reply = transport.get(f"{url}/metrics", {})
    finally:
        transport.close()
    assert reply.status == 200, reply
    return Scraped(reply.body.decode())
