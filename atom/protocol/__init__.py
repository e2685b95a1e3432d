"""The wire protocol between a flow platform and a Flow Service. Pure: no IO anywhere in here."""
