"""What gunicorn and Flask take of an accept."""
