"""The recovery role: a process that looks at the store every second, without Celery."""
