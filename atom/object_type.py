"""An object type: what data actions and file resources pass between a flow and a process."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from marshmallow import ValidationError

from atom import fields
from atom.accepted_values import AcceptedValues
from atom.conditions import Condition, Group
from atom.errors import DeclarationError, InvalidRequest
from atom.outcome import Misfits, dump_old_response, dump_response
from atom.profile import Profile, entries_of, prepared
from atom.protocol.objects import Entry, read_values, write_object
from atom.protocol.query_filter import MAX_PROVIDED, Comparison, Criteria
from atom.protocol.wire import problems, sentence


class Record(dict[str, Any]):
    """An object that a flow saves or deletes: its values by attribute name, and its identity."""

    def __init__(self, values: Mapping[str, Any], external_id: str | None) -> None:
        super().__init__(values)
        self.external_id: Final = external_id
        """The record's identity in the outside system; None where it is to be created."""


class ObjectType:
    """A flat profile with a name and a key: one Flow type, for single objects and lists alike."""

    def __init__(self, where: str, name: str, profile: type[Profile], key: str) -> None:
        self.name: Final = name
        self.entries: Final[tuple[Entry, ...]] = entries_of(profile, name)
        nested = [each.name for each in self.entries if each.content_type.is_structure]
        if nested:
            raise DeclarationError(
                f"{where}: profile {profile.__name__}, entry “{nested[0]}”: a type with objects or "
                "lists in it would make more than one Flow type; put the inner entries beside "
                "the others, or make it a type of its own."
            )
        if not self.entries:
            raise DeclarationError(f"{where}: profile {profile.__name__} has no entries.")
        if not isinstance(key, str) or not key.isidentifier():
            raise DeclarationError(
                f"{where}: key must name the attribute that identifies a record, not {key!r}."
            )
        self._prepared: Final = prepared(profile)
        self.profile: Final = self._prepared.schema
        self.key: Final = key
        self._key_field: Final = self.profile.fields.get(key)

    # --- from a flow

    def load_key(self, external_id: str) -> Any:
        """The key as the process knows it: read by the key's own field, else a text.

        Raises:
            ValueError: no record can have this identity.
        """
        if self._key_field is None:
            return external_id
        try:
            return self._key_field.deserialize(external_id)
        except ValidationError as error:
            raise ValueError("; ".join(problems(error.messages))) from None

    def provided(self, objects: Sequence[Mapping[str, Any]]) -> Group:
        """Return the condition that only the records behind these objects meet.

        An object has the key as its `externalId`, else as its property. One without a key, or
        with a key that no record can have, adds nothing; if that is all of them, the group has no
        members.

        Raises:
            InvalidRequest: there are more than MAX_PROVIDED objects.
        """
        if len(objects) > MAX_PROVIDED:
            raise InvalidRequest(
                f"listFilter.filterByProvidedObjects: the request provides {len(objects)} objects, "
                f"but at most {MAX_PROVIDED} can be loaded at a time."
            )
        field = self._key_field or fields.String()
        name = field.data_key or self.key
        texts = dict.fromkeys(self._identity(each, name) for each in objects)
        members = []
        for text in filter(None, texts):
            with suppress(ValueError):
                key = self.load_key(text)
                members.append(Condition(name, self.key, Criteria.EQUAL, key, text, field))
        return Group(Comparison.OR, tuple(members))

    @staticmethod
    def _identity(sent: Mapping[str, Any], key_name: str) -> str | None:
        values = {
            each["developerName"]: each.get("contentValue") for each in sent.get("properties") or ()
        }
        identity: str | None = sent.get("externalId") or values.get(key_name)
        return identity

    def load(self, objects: Sequence[Mapping[str, Any]], *, partial: bool = False) -> list[Record]:
        """The MObjects of a request as records.

        Args:
            objects: as they were sent.
            partial: whether only the identity matters.

        Raises:
            InvalidRequest: naming each property that is missing or wrong.
        """
        return [self._load(each, f"objectData[{at}]", partial) for at, each in enumerate(objects)]

    def load_accepted(
        self,
        objects: Sequence[Mapping[str, Any]],
        *,
        is_of_several_versions: bool,
        partial: bool = False,
    ) -> list[Record]:
        """Load the MObjects of an accepted request, which may not fit; see AcceptedValues."""
        reader = AcceptedValues("objects", is_of_several_versions=is_of_several_versions)
        records = []
        for sent in objects:
            properties, identity = sent.get("properties") or (), self._identity_of(sent)
            values = reader.load(
                self._prepared, self.entries, properties, identity, partial=partial
            )
            records.append(self._record(values, sent))
        reader.log_warnings()
        return records

    def _identity_of(self, sent: Mapping[str, Any]) -> dict[str, str]:
        """Return the key of an object by the name of its entry, if it has both."""
        external_id = sent.get("externalId")
        if not external_id or self._key_field is None:
            return {}
        return {self._key_field.data_key or self.key: external_id}

    def _record(self, values: dict[str, Any], sent: Mapping[str, Any]) -> Record:
        external_id = sent.get("externalId") or None
        if self._key_field is None:
            values[self.key] = external_id
        return Record(values, external_id)

    def _load(self, sent: Mapping[str, Any], where: str, partial: bool) -> Record:
        document = read_values(self.entries, sent.get("properties") or (), f"{where}.")
        document |= self._identity_of(sent)
        try:
            values: dict[str, Any] = (
                self.profile.load(document, partial=True)
                if partial
                else self._prepared.load(document)
            )
        except ValidationError as error:
            found = "; ".join(problems(error.messages, where))
            raise InvalidRequest(sentence(f"The objects are not valid: {found}.")) from None
        return self._record(values, sent)

    # --- to a flow

    def dump(
        self, record: Any, order: int, where: str, misfits: Misfits | None = None
    ) -> dict[str, Any]:
        """Return a record (a dict or an object with attributes) as an MObject.

        Args:
            record: what a process returned.
            order: its position in the response.
            where: a prefix of each problem.
            misfits: takes the problems of a record of several versions, for which only a missing
                key is an error; see `dump_old_response`.

        Raises:
            ValidationError: with every entry that is missing, unknown or wrong, and where.
        """
        external_id = self._external_id(record)
        shown = record
        if isinstance(record, Mapping) and self._key_field is None:
            shown = {name: value for name, value in record.items() if name != self.key}
        if misfits is not None:
            document = dump_old_response(self._prepared, shown, misfits)
        else:
            try:
                document = dump_response(self._prepared, shown)
            except ValidationError as error:
                raise ValidationError([f"{where}{each}" for each in error.messages]) from None
        if self._key_field is not None and external_id is not None:
            external_id = document.get(self._key_field.data_key or self.key)
        if not external_id:
            raise ValidationError([f"{where}{self.key}: a record needs its key"])
        return write_object(self.name, self.entries, document, external_id, order)

    def _external_id(self, record: Any) -> str | None:
        if isinstance(record, Mapping):
            key = record.get(self.key)
        else:
            key = getattr(record, self.key, None)
        return None if key is None else str(key)
