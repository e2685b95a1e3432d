"""The Flow Client connectors of the tenants, as the settings describe them."""

from atom.errors import SettingsError
from atom.flow.run_api import FlowClient
from atom.settings import Settings


class FlowClients:
    """A Flow Client connector for each tenant, made at its first use."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clients: dict[str, FlowClient] = {}

    def __call__(self, tenant_id: str) -> FlowClient:
        """Return the connector of a tenant.

        Raises:
            SettingsError: the flow platform is not set.
        """
        if tenant_id in self._clients:
            return self._clients[tenant_id]
        settings = self._settings
        if not settings.flow_url:
            raise SettingsError(
                "execution.flow needs ATOM_FLOW_URL: the flow platform that it calls, such as "
                "https://flow.boomi.com."
            )
        client = self._clients[tenant_id] = FlowClient(
            settings.flow_url,
            settings.flow_tenant or tenant_id,
            settings.flow_username or None,
            settings.flow_password or None,
        )
        return client
