"""What workers do with executions: run, keep, deliver, recover. Free of Celery."""
