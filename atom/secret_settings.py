"""Settings of the keys that encrypt executions at rest."""

from dataclasses import dataclass
from pathlib import Path

from environs import Env

from atom.errors import SettingsError
from atom.secret_key_file import read_keys
from atom.setting import setting


@dataclass(frozen=True, kw_only=True)
class SecretSettings:
    """The keys; `Settings` has them as its own."""

    secret_key: tuple[str, ...] = setting(
        "ATOM_SECRET_KEY",
        Env.list,
        (),
        "Fernet keys, comma-separated: what an execution holds is encrypted in Redis with the "
        "first, and read with any of them (`atom secret-key` makes one). The same for every role. "
        "`atom up` creates `.atom/secret-key` if there is no key.",
    )
    secret_key_file: str = setting(
        "ATOM_SECRET_KEY_FILE",
        Env.str,
        "",
        "A file with such keys, comma-separated or one per line, such as a Docker secret. They "
        "are used after those of `ATOM_SECRET_KEY`.",
    )
    keep_secrets: str = setting(
        "ATOM_KEEP_SECRETS",
        Env.str,
        "retry",
        "`retry`: the secrets of a request that did not complete are kept, encrypted, so that it "
        "can be retried; until a retry completes, an operator dismisses it or its retention ends. "
        "Without a key they are deleted after the callback. `never`: they always are. The same "
        "for every role.",
    )

    def check_secrets(self) -> None:
        """Refuse an unknown rule.

        Raises:
            SettingsError: naming the variable.
        """
        if self.keep_secrets not in ("retry", "never"):
            raise SettingsError("ATOM_KEEP_SECRETS must be retry or never.")


def all_keys(keys: tuple[str, ...], file: str) -> tuple[str, ...]:
    """Return the keys of both settings, the first of which encrypts.

    Raises:
        SettingsError: the file cannot be read, or holds no key.
    """
    named = tuple(key for each in keys if (key := each.strip()))
    if not file:
        return named
    return tuple(dict.fromkeys((*named, *read_keys(Path(file), "ATOM_SECRET_KEY_FILE"))))
