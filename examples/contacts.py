"""The platform's own tutorial on a real database: contacts that a flow loads, saves and deletes.

SQLite in the working directory unless CONTACTS_DATABASE names another one, for example
`postgresql+psycopg://user:password@host/contacts`. Needs the extra `database`.
"""

import csv
import os
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import sqlalchemy
from sqlalchemy import Engine, String, create_engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from atom import Execution, Fault, Faults, FlowService, Profile, Query, Record, fields

contacts = FlowService("Contacts", summary="People and how to reach them")
contacts.configuration_value("region")

DATABASE = "sqlite:///contacts.sqlite3"
_AT_ONCE = 100


# --- the database


class Base(DeclarativeBase):
    pass


class ContactRow(Base):
    __tablename__ = "contacts"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    phone: Mapped[str | None] = mapped_column(String(50), index=True)
    email: Mapped[str | None] = mapped_column(String(200), unique=True)
    region: Mapped[str | None] = mapped_column(String(50))


@cache
def engine() -> Engine:
    """The database, made where it is missing. One for each process of a worker."""
    made = create_engine(os.environ.get("CONTACTS_DATABASE", DATABASE))
    if made.dialect.name == "sqlite":
        # Several workers write at once: wait for each other instead of failing.
        event.listen(made, "connect", lambda each, _: each.execute("PRAGMA busy_timeout = 10000"))
    Base.metadata.create_all(made)
    return made


# --- the data action


class Contact(Profile):
    id = fields.Integer(data_key="ID")
    name = fields.String(data_key="Name", required=True)
    phone = fields.String(data_key="Phone")
    email = fields.Email(data_key="Email")
    region = fields.String(data_key="Region")


contact = contacts.data_action(
    "Contact", profile=Contact, key="id", summary="A person and how to reach them"
)


@contact.get
def get_contact(id: int, execution: Execution) -> ContactRow | None:
    with Session(engine()) as session:
        return session.get(ContactRow, id)


@contact.query
def query_contacts(query: Query, execution: Execution) -> list[ContactRow]:
    with Session(engine()) as session:
        return list(session.scalars(query.apply(select(ContactRow), ContactRow)))


@contact.save_all
def save_contacts(records: list[Record], execution: Execution) -> list[ContactRow]:
    """All of them or none: one transaction."""
    with Session(engine(), expire_on_commit=False) as session, session.begin():
        rows = [_saved(session, record, execution) for record in records]
        try:
            session.flush()
        except sqlalchemy.exc.IntegrityError:
            raise Fault("Another contact has this email address.", name="Duplicate") from None
        return rows


def _saved(session: Session, record: Record, execution: Execution) -> ContactRow:
    row = None
    if record.external_id is not None:
        row = session.get(ContactRow, record["id"])
        if row is None:
            raise Fault(f"There is no contact {record.external_id} any more.", name="Gone")
    if row is None:
        row = ContactRow()
        session.add(row)
    row.name, row.phone, row.email = record["name"], record["phone"], record["email"]
    row.region = record["region"] or execution.configuration["region"]
    return row


@contact.delete
def delete_contact(record: Record, execution: Execution) -> None:
    """What is gone already is as good as deleted."""
    with Session(engine()) as session, session.begin():
        row = session.get(ContactRow, record["id"])
        if row is not None:
            session.delete(row)


# --- a message action that takes its time


class ImportRequest(Profile):
    csv = fields.Content(data_key="CSV", required=True)


class Refused(Profile):
    line = fields.Integer(data_key="Line")
    reason = fields.String(data_key="Reason")


class ImportResponse(Profile):
    imported = fields.Integer(data_key="Imported")
    refused = fields.List(fields.Nested(Refused), data_key="Refused")


@contacts.message_action(
    "Import",
    request=ImportRequest,
    response=ImportResponse,
    wait_message="Reading the file…",
    timeout=3600,
)
def import_contacts(request: Mapping[str, Any], execution: Execution) -> dict[str, Any]:
    """Imports contacts from a CSV text with the columns Name, Phone and Email."""
    lines = list(csv.DictReader(request["csv"].splitlines()))
    if not lines or "Name" not in lines[0]:
        raise Fault("The CSV needs a first line with the column names Name, Phone, Email.", "CSV")
    imported, refused = 0, []
    for start, part in _parts(lines):
        # One recorded step for each part: a worker that is lost repeats no part that is done.
        done, wrong = execution.step(f"lines from {start + 2}", _import, part, start + 2)
        imported += done
        refused += wrong
        read = start + len(part)
        execution.progress(f"{read} of {len(lines)} lines", read / len(lines))
    if not imported:
        raise Faults(*(Fault(each["reason"], f"Line {each['line']}") for each in refused[:10]))
    return {"imported": imported, "refused": refused}


def _parts(lines: list[dict[str, str]]) -> Iterator[tuple[int, list[dict[str, str]]]]:
    for start in range(0, len(lines), _AT_ONCE):
        yield start, lines[start : start + _AT_ONCE]


def _import(lines: list[dict[str, str]], first: int) -> tuple[int, list[dict[str, Any]]]:
    """Import some lines in one transaction; how many were taken, and why others were not."""
    refused: list[dict[str, Any]] = []
    with Session(engine()) as session, session.begin():
        known = set(session.scalars(select(ContactRow.email)))
        for number, line in enumerate(lines, first):
            name, email = (line.get("Name") or "").strip(), (line.get("Email") or "").strip()
            if not name:
                refused.append({"line": number, "reason": "A contact needs a name."})
            elif email and email in known:
                refused.append({"line": number, "reason": f"{email} is there already."})
            else:
                known.add(email)
                session.add(ContactRow(name=name, phone=line.get("Phone"), email=email or None))
    return len(lines) - len(refused), refused
