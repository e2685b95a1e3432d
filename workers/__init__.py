"""The Celery side: `celery -A workers worker` and its tasks."""

from workers.celery_app import app

__all__ = ["app"]
