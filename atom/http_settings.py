"""Settings of the HTTP servers: TLS, processes, threads and time limits."""

from dataclasses import dataclass

from environs import Env

from atom.errors import SettingsError
from atom.setting import setting as _setting


@dataclass(frozen=True, kw_only=True)
class HttpSettings:
    """The settings; `Settings` has them as its own."""

    tls_cert: str = _setting(
        "ATOM_TLS_CERT",
        Env.str,
        "",
        "A PEM file with the listener's certificate (chain); with it the listener speaks https.",
    )
    tls_key: str = _setting("ATOM_TLS_KEY", Env.str, "", "A PEM file with its private key.")
    tls_client_ca: str = _setting(
        "ATOM_TLS_CLIENT_CA",
        Env.str,
        "",
        "A PEM file with the CA whose client certificates are let in; others cannot connect.",
    )
    listener_processes: int = _setting(
        "ATOM_LISTENER_PROCESSES", Env.int, 2, "Processes of the listener."
    )
    listener_threads: int = _setting(
        "ATOM_LISTENER_THREADS",
        Env.int,
        16,
        "Threads of each; a request that waits for a synchronous answer holds one.",
    )
    request_head_seconds: float = _setting(
        "ATOM_REQUEST_HEAD_SECONDS",
        Env.float,
        20.0,
        "How long a client may take for its TLS handshake, and for the head of a request.",
    )
    request_body_seconds: float = _setting(
        "ATOM_REQUEST_BODY_SECONDS",
        Env.float,
        20.0,
        "How long a client may take to send each 8 KiB of a body, or to read as much of an answer.",
    )
    idle_seconds: float = _setting(
        "ATOM_IDLE_SECONDS",
        Env.float,
        75.0,
        "How long a connection is kept open for the next request; longer than the idle timeout of "
        "a proxy or balancer in front.",
    )

    def check_tls(self) -> None:
        """Refuse TLS settings that do not fit together.

        Raises:
            SettingsError: naming the variable.
        """
        if bool(self.tls_cert) != bool(self.tls_key):
            missing = "ATOM_TLS_KEY" if self.tls_cert else "ATOM_TLS_CERT"
            raise SettingsError(f"{missing} is missing: certificate and key come together.")
        if self.tls_client_ca and not self.tls_cert:
            raise SettingsError(
                "ATOM_TLS_CLIENT_CA asks for client certificates, which needs ATOM_TLS_CERT and "
                "ATOM_TLS_KEY."
            )
