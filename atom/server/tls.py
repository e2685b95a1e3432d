"""The TLS context of new connections, renewed when the certificate files change."""

import logging
import os
import ssl
from typing import Any

from gunicorn.sock import ssl_context

_log = logging.getLogger(__name__)


class TlsContext:
    """Loads the certificates of gunicorn's configuration, and again when they were replaced."""

    def __init__(self, cfg: Any) -> None:
        self._cfg = cfg
        self._paths = [path for path in (cfg.certfile, cfg.keyfile, cfg.ca_certs) if path]
        self._changed_at = self._times()
        self._context: ssl.SSLContext = ssl_context(cfg)

    def __call__(self) -> ssl.SSLContext:
        """Return the context; the previous one as long as new files cannot be loaded."""
        times = self._times()
        if times != self._changed_at:
            self._changed_at = times
            try:
                self._context = ssl_context(self._cfg)
            except OSError as error:  # an SSLError is one as well
                _log.error("Changed certificate files cannot be loaded: %s", error)
        return self._context

    def _times(self) -> list[int]:
        try:
            return [os.stat(path).st_mtime_ns for path in self._paths]
        except OSError:  # they are just being replaced
            return []
