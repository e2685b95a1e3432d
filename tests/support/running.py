"""Executions of a service, run as a worker runs them, one after the other."""

import orjson

from atom.catalog import Catalog
from atom.execution.keeper import LeaseKeeper
from atom.execution.runner import Limits, Runner
from atom.store import RedisStore
from tests.support.executions import new_execution


class Worker:
    """A worker of one service that runs whatever is to be published, until nothing is."""

    def __init__(self, settings, service, max_step_bytes=50_000):
        self.service, self.version = service.name, service.version
        self.catalog = Catalog([service])
        self.told = []
        self.limits = Limits(
            lease_seconds=1.0, max_attempts=3, max_step_bytes=max_step_bytes, max_log_lines=9
        )
        self.store = RedisStore(settings, on_released=self.told.extend)
        self.store.set_windows({"processes": 100})
        self.keeper = LeaseKeeper(lambda: RedisStore(settings), 1.0, 1.0)
        self.keeper.start()
        self.runner = self.of(self.store)

    def of(self, store):
        return Runner(
            self.catalog,
            store,
            self,
            None,
            keeper=self.keeper,
            limits=self.limits,
            worker="w",
            make_flow_client=lambda tenant: None,
        )

    def publish_callback(self, execution_id):
        """No flow is here."""

    def accept(self, action, inputs=(), **changes):
        value = {"developerName": "region", "contentType": "ContentString", "contentValue": "EMEA"}
        request = {
            "token": "••••",
            "tenantId": "tenant",
            "callbackUri": "https://flow.boomi.com/api/run/1/response",
            "configurationValues": [value],
            "inputs": list(inputs),
            "objectDataType": {"developerName": "Thing"},
            "listFilter": {"id": "1"},
        }
        new = new_execution(
            service=self.service,
            action=action,
            request=orjson.dumps(request),
            version=self.version,
            profiles=self.catalog.process(self.service, action).profiles_digest,
            **changes,
        )
        self.store.accept(new)
        return new.id

    def run(self, execution_id):
        self.attempt(execution_id)
        while self.told:
            self.attempt(self.told.pop(0).id)
        return self.store.get(execution_id)

    def attempt(self, execution_id):
        """Run one attempt, as the Celery task of its process does."""
        envelope = self.store.envelope(execution_id)
        process = self.catalog.process(envelope.service, envelope.action)
        self.runner.run(
            execution_id,
            self.version,
            has_cleanup=process.on_end is not None,
            profiles=process.profiles_digest,
        )
