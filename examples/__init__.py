"""Services to try and to start from."""
