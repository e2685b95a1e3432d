"""What is special about RabbitMQ: confirmations, alarms, and queues that have to be declared."""

from uuid import uuid4

import pytest

from atom.errors import PublishFailed
from atom.publisher import Publisher
from atom.sandbox import FlowStatus
from tests.support import rabbitmq as support
from tests.support.roles import TestAtom


@pytest.fixture
def broker(request):
    """One that other tests use, too: names are to be new ones."""
    support.require(request.node.name)
    return request.getfixturevalue("shared_rabbitmq")


@pytest.fixture
def publisher(broker):
    return Publisher(broker.url)


def listed(broker, *columns):
    """The queues by name, with these columns."""
    table = broker.control("list_queues", "name", *columns, "--no-table-headers")
    rows = [line.split("\t") for line in table.splitlines() if "\t" in line]
    return {name: tuple(rest) for name, *rest in rows}


def test_a_message_for_a_queue_that_nobody_declared_is_kept(broker, publisher):
    queue = f"new-{uuid4()}"
    publisher.publish("CRM.Retrieve", "e-1", queue)
    assert publisher.waiting(queue) == 1
    assert listed(broker, "type", "durable")[queue] == ("quorum", "true")


def test_a_queue_that_was_deleted_is_there_again(broker, publisher):
    queue = f"deleted-{uuid4()}"
    publisher.publish("CRM.Retrieve", "e-1", queue)
    broker.control("delete_queue", queue)
    assert publisher.waiting(queue) == 0
    publisher.publish("CRM.Retrieve", "e-2", queue)
    publisher.publish("CRM.Retrieve", "e-3", queue)
    assert publisher.waiting(queue) == 2


def test_a_message_is_refused_at_once_while_memory_or_disk_is_short(rabbitmq):
    publisher = Publisher(rabbitmq.url)
    publisher.publish("CRM.Retrieve", "e-1", "processes")
    rabbitmq.control("set_vm_memory_high_watermark", "0.0000001")
    for _ in range(3):
        with pytest.raises(PublishFailed, match="out of memory or disk"):
            publisher.publish("CRM.Retrieve", "e-2", "processes")
    assert publisher.waiting("processes") == 1
    rabbitmq.control("set_vm_memory_high_watermark", "0.4")
    publisher.publish("CRM.Retrieve", "e-3", "processes")


def test_an_atom_has_its_queues_and_no_others(rabbitmq, tmp_path):
    atom = TestAtom(tmp_path, broker=rabbitmq)
    try:
        atom.start_all()
        flow = atom.run("Echo", {"Text": "x"})
        assert flow.wait_over(60) is FlowStatus.DONE
        queues = listed(rabbitmq, "type", "durable", "exclusive")
        ours = {name: queues.pop(name) for name in ("processes", "callbacks", "recovery")}
        assert set(ours.values()) == {("quorum", "true", "")}
        # Neither transient ones that outlive a connection, which RabbitMQ gives up, nor Celery's.
        assert all(".celery.pidbox" in name for name in queues)
        assert {exclusive for _, _, exclusive in queues.values()} == {"true"}
        consumers = rabbitmq.control("list_consumers", "queue_name", "prefetch_count")
        assert "processes\t2" in consumers
        assert rabbitmq.messages()["processes"] == 0
    finally:
        atom.close()
