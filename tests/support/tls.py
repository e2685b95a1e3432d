"""TLS in front of a server that speaks none, as stunnel does it, and the certificates for it."""

import contextlib
import socket
import ssl
import threading
from pathlib import Path
from typing import Self
from urllib.parse import quote

import trustme


class TlsFront:
    """Lets in whoever has a certificate of its own CA, and passes on what is said.

    As a context manager it runs for as long as the block.
    """

    def __init__(self, directory: Path, port: int) -> None:
        authority, self._behind = trustme.CA(), port
        server, client = authority.issue_cert("localhost"), authority.issue_cert("atom")
        self._ca, self._certificate = directory / "ca.pem", directory / "client.pem"
        authority.cert_pem.write_to_path(self._ca)
        client.private_key_and_cert_chain_pem.write_to_path(self._certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED
        server.configure_cert(context)
        authority.configure_trust(context)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._context = context
        self._open: list[socket.socket] = []
        self.port = self._listening.getsockname()[1]

    @property
    def parameters(self) -> str:
        """The query of a URL with which one is let in."""
        certificate = quote(str(self._certificate))
        return (
            f"?ssl_ca_certs={quote(str(self._ca))}&ssl_certfile={certificate}"
            f"&ssl_keyfile={certificate}"
        )

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listening, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # of the end
            while True:
                plain, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        try:
            outside = self._context.wrap_socket(plain, server_side=True)
            inside = socket.create_connection(("127.0.0.1", self._behind))
        except OSError:  # not let in
            plain.close()
            return
        self._open += [outside, inside]
        threading.Thread(target=_pass_on, args=(outside, inside), daemon=True).start()
        _pass_on(inside, outside)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
