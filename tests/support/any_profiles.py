"""Profiles as Hypothesis makes them up, and values that they accept."""

from typing import Any

from hypothesis import strategies as st
from marshmallow import validate

from atom import Profile, fields

_TEXTS = st.text(max_size=6)
_KINDS: dict[str, tuple[Any, Any]] = {
    "string": (fields.String, _TEXTS),
    "password": (fields.Password, _TEXTS),
    "number": (fields.Number, st.integers(-5, 5)),
    "integer": (fields.Integer, st.integers(-5, 5)),
    "boolean": (fields.Boolean, st.booleans()),
    "day": (fields.Date, st.dates()),
}
_NAMES = st.sampled_from(["a", "b", "c", "d"])


def specs(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Return descriptions of profiles: kind, whether it is required, and least value or length."""
    simple = st.tuples(st.sampled_from(sorted(_KINDS)), st.booleans(), st.sampled_from([0, 1, 3]))
    entry = simple
    if depth:
        inner = specs(depth - 1).filter(bool)
        structures = st.tuples(
            st.sampled_from(["object", "list"]), st.booleans(), st.just(0), inner
        )
        entry = st.one_of(simple, structures)
    return st.dictionaries(_NAMES, entry, max_size=4)


def built(spec: dict[str, Any], path: str = "") -> type[Profile]:
    return Profile.from_dict(
        {name: field_of(f"{path}{name}", *each) for name, each in spec.items()}
    )


def field_of(path: str, kind: str, required: bool, least: int, inner: Any = None) -> Any:
    options = {"data_key": path, "required": required}
    if kind == "object":
        return fields.Nested(built(inner, f"{path}/"), **options)
    if kind == "list":
        return fields.List(fields.Nested(built(inner, f"{path}/")), **options)
    if least and kind in ("string", "password"):
        options["validate"] = validate.Length(min=least)
    if least and kind in ("number", "integer"):
        options["validate"] = validate.Range(min=least)
    return _KINDS[kind][0](**options)


@st.composite
def documents(draw: Any, spec: dict[str, Any]) -> dict[str, Any]:
    document = {}
    for name, (kind, required, least, *inner) in spec.items():
        if not required and draw(st.booleans()):
            continue
        if kind == "object":
            document[name] = draw(documents(*inner))
        elif kind == "list":
            document[name] = draw(st.lists(documents(*inner), max_size=2))
        elif kind in ("string", "password"):
            document[name] = draw(st.text(min_size=least, max_size=6))
        elif kind in ("number", "integer"):
            document[name] = draw(st.integers(least or -5, 5))
        else:
            document[name] = draw(_KINDS[kind][1])
    return document
