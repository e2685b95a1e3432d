"""What is special about RabbitMQ: confirmations, alarms, and queues that have to be declared."""

import re
from uuid import uuid4

import pytest
import urllib3

from atom.errors import PublishFailed
from atom.publisher import Publisher
from atom.sandbox import FlowStatus
from tests.support import rabbitmq as support
from tests.support.ports import free_port
from tests.support.roles import TestAtom
from tests.support.waiting import until


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
    alarms = ("eval", "rabbit_alarm:get_alarms().")
    until(lambda: "memory" in rabbitmq.control(*alarms), "it to notice")
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
        assert flow.wait_over(120) is FlowStatus.DONE
        queues = listed(rabbitmq, "type", "durable", "exclusive")
        ours = {name: queues.pop(name) for name in ("processes", "callbacks")}
        assert set(ours.values()) == {("quorum", "true", "")}
        # Neither transient ones that outlive a connection, which RabbitMQ gives up, nor Celery's.
        assert all(".celery.pidbox" in name for name in queues)
        assert {exclusive for _, _, exclusive in queues.values()} == {"true"}
        consumers = rabbitmq.control("list_consumers", "queue_name", "prefetch_count")
        assert "processes\t2" in consumers
        until(lambda: rabbitmq.messages()["processes"] == 0, "the queue to be empty")
    finally:
        atom.close()


def test_flower_sees_workers_and_tasks(rabbitmq, tmp_path):
    bind = f"127.0.0.1:{free_port()}"
    atom = TestAtom(tmp_path, broker=rabbitmq)
    http = urllib3.PoolManager()

    def page(path):
        """What is there; nothing where Flower does not know of it yet."""
        answer = http.request("GET", f"http://{bind}{path}", timeout=30, retries=10)
        return answer.data if answer.status == 200 else b""

    try:
        atom.start_all()
        atom.start("flower", "flower", ATOM_FLOWER_BIND=bind)
        atom.wait_for_listener(f"http://{bind}", "/healthcheck")
        for name in ("processes", "callbacks"):
            until(lambda name=name: f"{name}-".encode() in page("/workers"), name, 60)
        flow = atom.run("Echo", {"Text": "x"})
        assert flow.wait_over(120) is FlowStatus.DONE
        execution = atom.execution_of(flow).id
        until(lambda: b"Trial.Echo" in page(f"/task/{execution}"), "the task", 30)
        worker = re.search(rb"processes-[^\s\"<&]*", page("/workers"))[0].decode()
        # What a worker is asked by remote control: each answer comes over a queue of its own.
        for _ in range(3):
            until(lambda: b"Max concurrency" in page(f"/worker/{worker}"), "its answer", 30)
        assert b"Broker" in page("/broker")  # empty, without the management plugin
        assert b"Traceback" not in atom.log("flower")
        assert atom.end("flower") == 0
    finally:
        http.clear()
        atom.close()
