"""A service that does nothing without its configuration."""

from atom import FlowService, Profile, fields

configured = FlowService("Configured", summary="What needs configuration values")
configured.configuration_value("Api Key", fields.Password, required=True)
configured.configuration_value("Discount", fields.Number)


class Told(Profile):
    discount = fields.Number(data_key="Discount")
    key_is_known = fields.Boolean(data_key="Key is known")
    tenant = fields.String(data_key="Tenant")


@configured.message_action("Tell", response=Told)
def tell(request, execution):
    return {
        "discount": execution.configuration["Discount"],
        "key_is_known": execution.configuration["Api Key"] == "canary-api-key",
        "tenant": execution.tenant_id,
    }
