"""`make containers`: the compose file on a real Docker, walked through as an operator would.

It builds the image, runs flows from outside, widens, kills, restarts, takes everything down and up
again, and looks for secrets in all that is left. It ends with exit code 1 at what is not as it
should be, and removes what it made.
"""

import json
import re
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from tests.containers.canaries import kept, look_for, secrets_of, written
from tests.containers.docker import PROJECT, ROOT, Compose, check, docker, tell, until
from tests.containers.flows import Sandbox, ask, basic, request_with

CANARIES = {
    "password": "canary-of-a-password",
    "document": "canary-of-a-document",
    "step": "canary-of-a-step",
}
# What a process says to people, which is in its flow and its log, but in Redis only encrypted.
SAID = {"progress": "canary-of-progress", "fault": "canary-of-a-fault"}


def settings() -> dict[str, str]:
    """`.env.example` with passwords, ports and a service of the trial's own."""
    example = (ROOT / ".env.example").read_text()
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", example, re.MULTILINE)) | {
        "ATOM_SERVICES": "trial",
        "ATOM_SERVICES_DIRECTORY": "./tests/containers/services",
        "ATOM_ALLOW_ANONYMOUS": "false",
        "ATOM_REDIS_PASSWORD": secrets.token_urlsafe(),
        "ATOM_FLOWER_PASSWORD": secrets.token_urlsafe(),
        "ATOM_SECRET_KEY": Fernet.generate_key().decode(),
        **{f"ATOM_{name}_PORT": "0" for name in ("LISTENER", "CONSOLE", "SANDBOX", "FLOWER")},
    }


class Trial:
    """The walk."""

    def __init__(self, compose: Compose, given: dict[str, str]) -> None:
        self._compose, self._given = compose, given
        self._token = ""

    def walk(self) -> None:
        """All of it."""
        self.begin()
        self.one_flow()
        self.one_worker_dies()
        self.restart()
        self.down_and_up()
        self.look_at_the_image()
        self.look_for_secrets()

    def begin(self) -> None:
        self._compose("build")
        self._compose("up", "-d", "redis")
        # The listener is open to other containers, so it wants a credential before it starts.
        self._token = json.loads(
            self._compose("run", "--rm", "-T", "recovery", *_CREATE, shown=False)
        )["token"]
        self._compose("up", "-d", "--wait")
        self._all_are_well()

    def one_flow(self) -> None:
        tell("a flow from outside, through the sandbox")
        said = self._sandbox.resumed(self._sandbox.start("Tell", Text="hello", Password="pw-1234"))
        check(_outputs(said)["Text"] == "hello", "it resumed once, with its outputs")
        status, _ = ask(f"{self._listener}/fs/Trial/metadata", {})
        check(status == 401, "without a credential nobody is served")

    def one_worker_dies(self) -> None:
        self._compose("up", "-d", "--wait", "--scale", "worker=3")
        flow = self._sandbox.start("Count", Steps=20)
        execution = until(self._running, "a worker that runs it")
        host = execution["worker"].partition(":")[0]
        (name,) = [c["Name"] for c in self._compose.containers() if c["ID"].startswith(host)]
        tell("$ docker kill", name)
        docker("kill", name)
        said = self._sandbox.resumed(flow)
        check(_outputs(said)["Attempts"] == "2", "the flow resumed once, at the second attempt")
        self._compose("up", "-d", "--wait", "--scale", "worker=3")

    def restart(self) -> None:
        flow = self._sandbox.start("Count", Steps=60)
        execution = until(self._running, "a worker that runs it")
        self._compose("restart", "listener", "worker", "callbacks", "recovery")
        ended = until(lambda: self._ended(execution["id"]), "the end of the execution", 240)
        check(ended["state"] == "completed", f"completed after {ended['attempts']} attempts")
        check(ended["losses"] == 0, "no worker counted as lost: what ran was handed back")
        self._sandbox.resumed(flow)
        self._compose("restart")
        until(self._is_well, "everybody to be well again")

    def down_and_up(self) -> None:
        before = {each["id"]: each["state"] for each in self._list()}
        self._compose("down")
        self._compose("up", "-d", "--wait")
        after = {each["id"]: each["state"] for each in self._list()}
        check(after == before, f"the history is kept: {len(after)} executions")
        self.one_flow()

    def look_at_the_image(self) -> None:
        (image,) = json.loads(docker("image", "inspect", "flow-atom:local"))
        base = json.loads(docker("image", "inspect", self._given["PYTHON_IMAGE"]))[0]
        tell(f"image {image['Size'] / 1e6:.0f} MB, of which its base {base['Size'] / 1e6:.0f} MB")
        check(image["Size"] - base["Size"] < 80e6, "what we add takes less than 80 MB")
        check(image["Config"]["User"] == "atom", "its user is not root")
        tools = "for each in gcc cc make git; do command -v $each; done; id -u; touch /x 2>&1"
        said = self._compose("exec", "-T", "worker", "sh", "-c", f"{tools}; true", shown=False)
        check(said.split()[0] == "10001", "no compiler, no make, no git; a user of its own")
        check("Read-only" in said, "its root file system is read-only")

    def look_for_secrets(self) -> None:
        tell("a run with secrets in every place")
        for text in ("canary-of-a-document", "fault"):
            password = CANARIES["password"]
            self._sandbox.resumed(self._sandbox.start("Tell", Text=text, Password=password))
        token = f"canary-token-{secrets.token_hex(8)}"
        status, _ = ask(
            f"{self._listener}/fs/Trial/actions/Tell",
            request_with(token),
            Authorization=basic("flows", self._token),
            ManyWhoAuthorization="ManyWhoToken%3Dcanary-of-a-user",
        )
        check(status == 200, "a request with a token of our own is answered")
        until(lambda: self._running() is None, "its end")
        key = self._compose("exec", "-T", "recovery", "cat", "/keys/secret-key", shown=False)
        check(len(key.strip()) == len(self._given["ATOM_SECRET_KEY"]), "a key was created")
        canaries = secrets_of(
            self._given,
            token=token,
            user="canary-of-a-user",
            credential=self._token,
            created_key=key.strip(),
            **CANARIES,
        )
        look_for(canaries, written(self._compose, self._pages()))
        look_for({**canaries, **SAID}, kept(self._compose))

    # --- what it looks at

    @property
    def _listener(self) -> str:
        return self._compose.address("listener", 8077)

    @property
    def _sandbox(self) -> Sandbox:
        address = self._compose.address("sandbox", 8079)
        return Sandbox(address, basic("flows", self._token))

    def _list(self) -> list[dict[str, Any]]:
        return list(self._compose.atom("executions", "list", "--limit", "1000"))

    def _running(self) -> dict[str, Any] | None:
        return next((each for each in self._list() if each["state"] == "running"), None)

    def _ended(self, execution_id: str) -> dict[str, Any] | None:
        (found,) = [each for each in self._list() if each["id"] == execution_id]
        return found if found["state"] not in ("accepted", "running") else None

    def _is_well(self) -> bool:
        return all(
            each["Health"] == "healthy"
            or (each["Service"] == "secret-key" and each["State"] == "exited")
            for each in self._compose.containers()
        )

    def _all_are_well(self) -> None:
        for each in self._compose.containers():
            tell(f"  {each['Name']}: {each['Status']}")
        check(self._is_well(), "every container is healthy")

    def _pages(self) -> dict[str, bytes]:
        flower = self._compose.address("flower", 5555)
        check(ask(f"{flower}/api/tasks")[0] == 401, "Flower asks who looks")
        who = basic(self._given["ATOM_FLOWER_USERNAME"], self._given["ATOM_FLOWER_PASSWORD"])
        pages = {}
        for path in ("/api/tasks", "/tasks", "/workers", "/broker", "/metrics"):
            status, body = ask(f"{flower}{path}", Authorization=who)
            check(status == 200, f"Flower answers {path}")
            pages[f"Flower's {path}"] = body
        pages["metrics of listener"] = ask(f"{self._listener}/metrics")[1]
        console = self._compose.address("console", 8078)
        pages["console"] = ask(f"{console}/")[1]
        return pages


_CREATE = ("credentials", "create", "flows", "--json")


def _outputs(said: dict[str, Any]) -> dict[str, Any]:
    return {each["developerName"]: each["contentValue"] for each in said["outputs"]}


def main() -> None:
    """Walk, and tidy up whatever happens."""
    given = settings()
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "env"
        file.write_text("".join(f"{name}={text}\n" for name, text in given.items()))
        compose = Compose(file)
        try:
            Trial(compose, given).walk()
        except SystemExit:
            print(compose("logs", "--no-color", "--tail", "40", shown=False))  # noqa: T201
            raise
        finally:
            compose("down", "--volumes", "--timeout", "50")
    tell(f"all is well with {PROJECT}")


if __name__ == "__main__":
    sys.exit(main())
