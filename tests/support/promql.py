"""As much of PromQL as our dashboard and alert rules use: does it parse, and what does it name?"""

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>\d+(?:\.\d+)?(?![\w.]))
    |(?P<duration>\d+(?:ms|[smhdwy])(?!\w))
    |(?P<name>[a-zA-Z_:][\w:]*)
    |(?P<string>"(?:[^"\\]|\\.)*")
    |(?P<operator>==|!=|>=|<=|=~|!~|[-+*/%^<>={}()\[\],])
    )""",
    re.VERBOSE,
)
_AGGREGATIONS = {"sum", "max", "min", "avg", "count"}
_OF_RANGES = {"rate", "increase"}
_FUNCTIONS = {*_OF_RANGES, "histogram_quantile", "vector", "clamp_min"}
_BINARY = {*("+", "-", "*", "/", "%", "^", "==", "!=", ">", "<", ">=", "<=")}
_BINARY |= {"and", "or", "unless"}


@dataclass
class Query:
    """What an expression names."""

    series: list[tuple[str, set[str]]] = field(default_factory=list)
    """Each selector: its metric and the labels that must exist on it, matched or grouped by."""
    grouped_by: set[str] = field(default_factory=set)
    counters: set[str] = field(default_factory=set)
    """What is taken the rate of."""


def parse(text: str) -> Query:
    """Read an expression.

    Raises:
        ValueError: it is none, as far as we know PromQL.
    """
    parser = _Parser(text)
    query = parser.expression()
    if parser.kind:
        raise ValueError(f"{text}: nothing should follow, but {parser.word!r} does")
    return query


class _Parser:
    def __init__(self, text):
        self._text, self._at = text.strip(), 0
        self.kind, self.word = "", ""
        self._next()

    def _next(self):
        taken = self.word
        if self._at == len(self._text):
            self.kind, self.word = "", ""
            return taken
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            raise ValueError(f"{self._text}: not understood from {self._text[self._at :]!r}")
        self._at = match.end()
        self.kind, self.word = match.lastgroup, match[match.lastgroup]
        return taken

    def _take(self, *wanted):
        """The token, which must be one of these words or kinds."""
        if self.word not in wanted and self.kind not in wanted:
            raise ValueError(f"{self._text}: {self.word!r} where {wanted} should be")
        return self._next()

    def _has(self, word):
        return self.word == word and bool(self._next())

    def expression(self):
        query = self._operand()
        while self.word in _BINARY:
            self._next()
            if self.word in ("on", "ignoring"):
                self._next()
                self._labels()
            other = self._operand()
            query.series += other.series
            query.grouped_by |= other.grouped_by
            query.counters |= other.counters
        return query

    def _operand(self):
        if self.kind == "number":
            self._next()
            return Query()
        if self._has("("):
            query = self.expression()
            self._take(")")
            return query
        name = self._take("name")
        if name in _AGGREGATIONS:
            return self._aggregation()
        if self.word == "(":
            return self._call(name)
        return self._selector(name)

    def _aggregation(self):
        labels = self._labels() if self._has("by") else set()
        self._take("(")
        query = self.expression()
        self._take(")")
        for _, needed in query.series:
            needed |= labels
        query.grouped_by = labels
        return query

    def _call(self, name):
        if name not in _FUNCTIONS:
            raise ValueError(f"{self._text}: no function {name!r} is known")
        self._take("(")
        query = self.expression()
        while self._has(","):
            query = self.expression()
        if name in _OF_RANGES:
            self._take("[")
            self._take("duration")
            self._take("]")
            query.counters |= {metric for metric, _ in query.series}
        self._take(")")
        return query

    def _selector(self, name):
        labels = set()
        if self._has("{"):
            while not self._has("}"):
                labels.add(self._take("name"))
                self._take("=", "!=", "=~", "!~")
                self._take("string")
                if self.word != "}":
                    self._take(",")
        return Query([(name, labels)])

    def _labels(self):
        self._take("(")
        found = {self._take("name")}
        while self._has(","):
            found.add(self._take("name"))
        self._take(")")
        return found
