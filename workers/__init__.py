"""The Celery side: `celery -A workers worker` finds its app in `workers.celery`.

Nothing is imported here, so that a part which runs no process (`workers.flower`) loads no service.
"""
