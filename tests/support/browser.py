"""As much of a browser as a test of the console needs: cookies, forms, and no redirects."""

import http.client
import re
from collections.abc import Sequence
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

Fields = dict[str, str] | Sequence[tuple[str, str]]


class Page:
    """One answer."""

    def __init__(self, status: int, headers: Any, body: bytes):
        self.status, self.headers, self.body = status, headers, body
        self.text = body.decode()

    @property
    def form_token(self) -> str:
        """What its form sends back."""
        (token,) = set(re.findall(r'name="form" value="([^"]+)"', self.text))
        return token


class Browser:
    """Keeps cookies of one console."""

    def __init__(self, url: str):
        self._address = url.removeprefix("http://")
        self.cookies: dict[str, str] = {}
        self.set_cookies: list[str] = []

    def get(self, path: str, **headers: str) -> Page:
        return self._ask("GET", path, None, headers)

    def post(self, path: str, fields: Fields, **headers: str) -> Page:
        headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        return self._ask("POST", path, urlencode(fields), headers)

    def log_in(self, name: str, token: str, goes_on: str = "/") -> Page:
        form = self.get("/login").form_token
        return self.post("/login", {"form": form, "name": name, "token": token, "next": goes_on})

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Page:
        if self.cookies:
            cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            headers = {"Cookie": cookie, **headers}
        connection = http.client.HTTPConnection(self._address, timeout=60)
        try:
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            page = Page(reply.status, reply.headers, reply.read())
        finally:
            connection.close()
        for each in page.headers.get_all("Set-Cookie") or ():
            self.set_cookies.append(each)
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(each).items()}
        return page
