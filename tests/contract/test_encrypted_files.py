"""Uploads at rest: encrypted with a key, in Redis and behind a URL; read as before without one."""

import hashlib
import io
from dataclasses import replace

import pytest

from atom.errors import Unreadable
from atom.store.encryption import new_key
from atom.store.files import file_store
from tests.contract.conftest import short_times
from tests.support.redis_content import content_of

OLD, NEW = new_key(), new_key()
CHUNK = 512 * 1024
# A picture's first byte is the mark of an encrypted text.
CONTENT = b"\xff\xd8canary" + hashlib.shake_256(b"seed").digest(2 * CHUNK) + b"canary-end"


@pytest.fixture(params=["redis", "url"])
def settings(embedded_redis, tmp_path, request):
    url = f"file://{tmp_path}/uploads" if request.param == "url" else ""
    return short_times(embedded_redis.url, secret_key=(NEW,), file_store=url)


@pytest.fixture
def at_rest(raw, tmp_path):
    """All that is kept anywhere."""

    def read():
        return content_of(raw) + b"".join(
            path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
        )

    return read


def written(settings, content):
    writer = file_store(settings).create()
    for start in range(0, len(content), 100_000):
        writer.write(content[start : start + 100_000])
    writer.finish()
    assert writer.size == len(content)
    return writer.id


def read(settings, file_id, content):
    with io.BufferedReader(file_store(settings).open(file_id, len(content))) as file:
        return file.read()


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, len(CONTENT)])
def test_it_is_read_as_it_was_written(settings, at_rest, size):
    content = CONTENT[:size]
    file_id = written(settings, content)
    assert read(settings, file_id, content) == content
    assert b"canary" not in at_rest()
    file_store(settings).delete(file_id)
    assert at_rest() == b""


def test_without_a_key_it_could_be_read_by_anybody(settings, at_rest):
    written(replace(settings, secret_key=()), CONTENT)
    assert b"canary" in at_rest()


def test_it_can_be_searched(settings):
    file_id = written(settings, CONTENT)
    with io.BufferedReader(file_store(settings).open(file_id, len(CONTENT))) as file:
        for place in (len(CONTENT) - 10, 0, CHUNK - 3, CHUNK + 5):
            file.seek(place)
            assert file.read(8) == CONTENT[place : place + 8]


def test_one_of_earlier_times_is_read(settings):
    plain = written(replace(settings, secret_key=()), CONTENT)
    old = written(replace(settings, secret_key=(OLD,)), CONTENT)
    both = replace(settings, secret_key=(NEW, OLD))
    assert read(both, plain, CONTENT) == read(both, old, CONTENT) == CONTENT


@pytest.mark.parametrize("keys", [(), (OLD,)])
def test_without_its_key_it_is_an_error_that_names_the_setting(settings, keys):
    file_id = written(settings, CONTENT)
    with pytest.raises(Unreadable, match=f"upload {file_id} .*ATOM_SECRET_KEY"):
        read(replace(settings, secret_key=keys), file_id, CONTENT)


def test_what_is_discarded_leaves_nothing(settings, at_rest):
    writer = file_store(settings).create()
    writer.write(CONTENT)
    writer.discard()
    assert at_rest() == b""


def test_one_that_is_gone_says_so_when_it_is_opened(settings):
    file_id = written(settings, CONTENT)
    file_store(settings).delete(file_id)
    with pytest.raises(FileNotFoundError):
        file_store(settings).open(file_id, len(CONTENT))


def test_one_behind_a_url_that_nobody_read_is_found_by_its_age(settings):
    written(settings, CONTENT)
    files = file_store(replace(settings, file_hours=-1.0))
    assert files.trim() == (1 if settings.file_store else 0)
