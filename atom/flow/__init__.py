"""The way to the flow platform: where a callback may go, how it is sent, what its answer means."""
