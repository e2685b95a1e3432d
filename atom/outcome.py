"""What a process may return: checked against its response profile, entry by entry."""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, cast

from marshmallow import ValidationError, missing
from marshmallow.fields import Field, List, Nested

from atom.fields import short
from atom.profile import Profile
from atom.protocol.objects import Document
from atom.protocol.prepared_schema import UNFIT, NotThisWay, PreparedSchema, is_list
from atom.protocol.wire import problems, sentence

_log = logging.getLogger(__name__)

_INDEX: Final = re.compile(r"\[\d+\]")


def dump_response(prepared: PreparedSchema[Profile] | None, result: Any) -> Document:
    """Turn what a process returned into a document.

    An object entry takes a dict or an object with attributes; a dict may hold nothing that the
    profile does not name. None is a result without any value.

    Raises:
        ValidationError: with every entry that is missing, unknown or wrong, as `path: problem`.
    """
    if prepared is None:
        if result is not None:
            raise ValidationError("the action declares no response profile, so return None")
        return {}
    result = {} if result is None else result
    try:
        return prepared.dump(result)
    except NotThisWay:
        return _dump(prepared.schema, result)


class Misfits:
    """The misfits of results that are dumped although they do not fit their profile."""

    def __init__(self, what: str) -> None:
        """Make one; `what` names the results in the warning."""
        self._what = what
        self._found: dict[str, None] = {}  # each once, however long a list is

    def add(self, problems: Iterable[str]) -> None:
        """Add problems as `path: problem`; the elements of a list count as one."""
        self._found.update(dict.fromkeys(_INDEX.sub("[]", problem) for problem in problems))

    def log(self) -> None:
        """Log one warning that names all of them, if there are any."""
        if self._found:
            _log.warning("%s", sentence(f"{self._what} does not fit: {'; '.join(self._found)}"))


def dump_old_response(
    prepared: PreparedSchema[Profile] | None, result: Any, found: Misfits
) -> Document:
    """Dump a result that may consist of values which another version of the service recorded.

    An entry that is missing or cannot be written has no value, and an unknown one is left out.
    These are added to the misfits, and so is what the validators refuse. Of a result that does not
    fit, the hooks of its profile do not run.
    """
    try:
        return dump_response(prepared, result)
    except ValidationError as error:
        misfits = cast(list[str], error.messages)
    document: Document = {}
    if prepared is not None:
        document = _fitting(prepared.schema, result) or {}
        with suppress(Exception):  # which may be that of a hook
            given = {name: value for name, value in document.items() if value is not None}
            misfits = [*misfits, *problems(prepared.schema.validate(given))]
    found.add(misfits)
    return document


def _fitting(profile: Profile, value: Any) -> Document | None:
    """Return the entries of an object that can be written; None if it is not an object."""
    if not (isinstance(value, Mapping) or _has_attributes(profile, value)):
        return None
    document: Document = {}
    for name, field in profile.dump_fields.items():
        key = name if field.data_key is None else field.data_key
        nested = _nested(field)
        if nested is None:
            with suppress(ValidationError, *UNFIT):
                document[key] = field.serialize(name, value, accessor=profile.get_attribute)
            continue
        content = profile.get_attribute(value, field.attribute or name, None)
        if is_list(field) and isinstance(content, list | tuple):
            document[key] = [_fitting(nested, element) or {} for element in content]
        elif content is not None and not is_list(field):
            document[key] = _fitting(nested, content)
    return {key: content for key, content in document.items() if content is not missing}


def _dump(profile: Profile, result: Any) -> Document:
    """The whole way, which tells what is wrong and where."""
    misfits = list(_misshapen(profile, result, ""))
    if misfits:
        raise ValidationError(misfits)
    try:
        document = cast(Document, profile.dump(result))
    except (ValidationError, *UNFIT) as error:
        raise ValidationError(list(_unwritable(profile, result, "")) or [str(error)]) from error
    given = {name: value for name, value in document.items() if value is not None}
    errors = profile.validate(given)
    if errors:
        raise ValidationError(list(problems(errors)))
    return document


def _misshapen(profile: Profile, value: Any, where: str) -> Iterator[str]:
    """What stands where no object, no list or no entry is expected."""
    if isinstance(value, Mapping):
        names = {field.attribute or name: None for name, field in profile.fields.items()}
        for unknown in sorted(str(key) for key in value if key not in names):
            yield f"{where}{unknown}: no such entry (there are {', '.join(names)})"
    elif not _has_attributes(profile, value):
        at = f"{where.rstrip('.')}: " if where else ""
        yield f"{at}a dict or an object is expected, not {short(value)}"
        return
    for inner, elements, path in _structures(profile, value, where):
        if elements is None:
            yield f"{path}: a list of dicts or objects is expected"
            continue
        for at, element in elements:
            yield from _misshapen(inner, element, f"{at}.")


def _unwritable(profile: Profile, value: Any, where: str) -> Iterator[str]:
    """Which simple values cannot be written, with their whole path."""
    for name, field in profile.fields.items():
        if is_list(field) or isinstance(field, Nested):
            continue
        try:
            field.serialize(name, value, accessor=profile.get_attribute)
        except ValidationError as error:
            for text in problems(error.messages):
                yield f"{where}{text}"
        except UNFIT:
            got = profile.get_attribute(value, field.attribute or name, None)
            yield f"{where}{field.data_key or name}: {short(got)} is no {type(field).__name__}"
    for inner, elements, _ in _structures(profile, value, where):
        for at, element in elements or ():
            yield from _unwritable(inner, element, f"{at}.")


def _structures(
    profile: Profile, value: Any, where: str
) -> Iterator[tuple[Profile, list[tuple[str, Any]] | None, str]]:
    """Each object or list that has a value: its profile, its elements with their paths, its path.

    The elements are None where the value is no list.
    """
    for name, field in profile.fields.items():
        nested = _nested(field)
        content = None
        if nested is not None:
            content = profile.get_attribute(value, field.attribute or name, None)
        if nested is None or content is None:
            continue
        path = f"{where}{field.data_key or name}"
        if not is_list(field):
            yield nested, [(path, content)], path
        elif isinstance(content, list | tuple):
            elements = [(f"{path}[{index}]", each) for index, each in enumerate(content)]
            yield nested, elements, path
        else:
            yield nested, None, path


def _nested(field: Field[Any]) -> Profile | None:
    element = field.inner if isinstance(field, List) else field
    return cast(Profile, element.schema) if isinstance(element, Nested) else None


def _has_attributes(profile: Profile, value: Any) -> bool:
    """Whether it is an object of somebody's own making, or at least looks like the profile."""
    return hasattr(value, "__dict__") or any(
        hasattr(value, field.attribute or name) for name, field in profile.fields.items()
    )
