"""What every answer of the listener says to browsers and caches that come across it."""

from flask import Flask, Response


def install(app: Flask) -> None:
    """Add them, whoever made the answer."""

    @app.after_request
    def add(response: Response) -> Response:
        # Answers hold what flows and processes said: for the caller, and for no cache.
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response
