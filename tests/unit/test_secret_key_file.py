"""The file with the keys of ATOM_SECRET_KEY: created once, for this user alone, and read."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from atom.cli import running, up
from atom.errors import SettingsError
from atom.secret_key_file import create_key_file, read_keys
from atom.settings import Settings
from atom.store.encryption import Cipher, new_key


def test_file_is_created_once_for_its_user_alone(tmp_path):
    path = tmp_path / "deep" / "secret-key"
    assert create_key_file(path, new_key)
    keys = read_keys(path, "X")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Cipher(keys).is_on
    assert not create_key_file(path, new_key)
    assert read_keys(path, "X") == keys
    assert os.listdir(path.parent) == ["secret-key"]


def test_processes_that_create_it_at_once_agree_on_one_key(tmp_path):
    path, barrier = tmp_path / "secret-key", Barrier(8)

    def create(_number):
        def slow_key():
            barrier.wait(30)  # each has found no file, and none has written one yet
            return new_key()

        created = create_key_file(path, slow_key)
        return created, read_keys(path, "X")

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(create, range(8)))
    assert sorted(created for created, _ in results) == [False] * 7 + [True]
    assert len({keys for _, keys in results}) == 1
    assert os.listdir(tmp_path) == ["secret-key"]


def test_interrupted_creation_leaves_no_file(tmp_path):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        create_key_file(tmp_path / "secret-key", interrupted)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("separator", [",", "\n", "\r\n", " , ", "\n\n"])
def test_keys_are_separated_by_commas_or_lines(tmp_path, separator):
    path = tmp_path / "keys"
    path.write_bytes(f"new{separator}old\n".encode())
    assert read_keys(path, "X") == ("new", "old")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        (b"", "holds no key"),
        (b"\n ,", "holds no key"),
        (b"\xff", "not a"),
    ],
)
def test_useless_file_is_named_with_its_setting(tmp_path, monkeypatch, content, says):
    path = tmp_path / "keys"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("ATOM_SECRET_KEY_FILE", str(path))
    with pytest.raises(SettingsError, match=f"ATOM_SECRET_KEY_FILE: {path} .*{says}"):
        Settings.from_env()


def test_directory_without_permission_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"key file .* cannot be created"):
        create_key_file(tmp_path / "file" / "secret-key", new_key)


def test_keys_of_the_variable_come_before_those_of_the_file(tmp_path, monkeypatch):
    path = tmp_path / "keys"
    path.write_text("old\nolder\n")
    monkeypatch.setenv("ATOM_SECRET_KEY_FILE", str(path))
    assert Settings.from_env().secret_key == ("old", "older")
    monkeypatch.setenv("ATOM_SECRET_KEY", "new, old")
    assert Settings.from_env().secret_key == ("new", "old", "older")


def test_up_creates_a_key_only_if_there_is_none(tmp_path):
    own = replace(Settings(), secret_key=(new_key(),))
    assert running.with_key(own, tmp_path, create=True) == own
    assert os.listdir(tmp_path) == []
    created = running.with_key(Settings(), tmp_path, create=True)
    assert len(created.secret_key) == 1
    assert running.with_key(Settings(), tmp_path) == created
    # What the created key encrypted stays readable once another key is set.
    both = running.with_key(own, tmp_path, create=True)
    assert both.secret_key == (*own.secret_key, *created.secret_key)


@pytest.mark.parametrize("url", [None, "redis://here:1/0", "redis://elsewhere:1/0"])
def test_commands_use_the_key_of_the_atom_they_talk_to(tmp_path, monkeypatch, url):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ATOM_REDIS_URL", raising=False)
    if url:
        monkeypatch.setenv("ATOM_REDIS_URL", url)
    key = running.with_key(Settings(), create=True).secret_key
    running.write(running.Running(os.getpid(), "redis://here:1/0", "", "", []))
    expected = () if url == "redis://elsewhere:1/0" else key
    assert running.settings_of_running().secret_key == expected


def test_roles_of_up_get_its_keys_once(tmp_path):
    settings = running.with_key(Settings(secret_key_file="elsewhere"), tmp_path, create=True)
    environment = up._environment(settings)
    assert environment["ATOM_SECRET_KEY"] == settings.secret_key[0]
    assert environment["ATOM_SECRET_KEY_FILE"] == ""
