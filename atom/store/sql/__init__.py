"""The history database: executions that have ended and were moved out of Redis."""
