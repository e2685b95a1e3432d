"""The cipher: what it changes with keys and without, how keys are changed, and wrong ones."""

import pytest

from atom.errors import SettingsError, Unreadable
from atom.store.encryption import Cipher, new_key

OLD, NEW = new_key(), new_key()


@pytest.mark.parametrize("text", [b"{}", "Grüße".encode(), b"\x00", b"x" * 100_000])
def test_what_was_sealed_is_unsealed(text):
    cipher = Cipher([NEW])
    stored = cipher.seal(text)
    assert text not in stored.removeprefix(b"\xff")
    assert stored != cipher.seal(text), "the same twice does not look the same"
    assert cipher.unseal(stored, "x") == text


def test_nothing_stays_nothing():
    assert Cipher([NEW]).seal(b"") == b""


@pytest.mark.parametrize("keys", [[], [""], [" "]])
def test_without_a_key_nothing_changes(keys):
    cipher = Cipher(keys)
    assert not cipher.is_on
    assert cipher.seal(b"plain") == b"plain"
    assert cipher.unseal(b"plain", "x") == b"plain"


def test_what_was_written_before_there_was_a_key_is_read():
    # Even where it looks like what Fernet writes.
    looks_encrypted = Cipher([NEW]).encrypt(b"x")
    for plain in (b'{"a":1}', b"text", looks_encrypted):
        assert Cipher([NEW]).unseal(Cipher([]).seal(plain), "x") == plain


def test_keys_are_changed_one_after_the_other():
    before = Cipher([OLD]).seal(b"before")
    both = Cipher([f" {NEW} ", OLD])
    after = both.seal(b"after")
    assert both.unseal(before, "x") == b"before"
    assert Cipher([NEW]).unseal(after, "x") == b"after"
    assert Cipher([OLD, NEW]).unseal(after, "x") == b"after"


@pytest.mark.parametrize("keys", [[], [OLD]])
def test_without_the_right_key_it_is_one_error_that_names_the_setting(keys):
    stored = Cipher([NEW]).seal(b"canary")
    with pytest.raises(Unreadable, match=r"of execution e1 is encrypted.*ATOM_SECRET_KEY") as told:
        Cipher(keys).unseal(stored, "execution e1")
    assert told.value.__cause__ is None
    assert "canary" not in str(told.value)


def test_what_was_changed_behind_our_back_is_not_read():
    stored = bytearray(Cipher([NEW]).seal(b"text"))
    stored[40] ^= 1
    with pytest.raises(Unreadable):
        Cipher([NEW]).unseal(bytes(stored), "x")


@pytest.mark.parametrize(
    "wrong",
    ["canary", f"{NEW}x", f"{NEW} {OLD}", NEW[:-4], "ä" * 44, "*" * 44],
    ids=["short", "longer", "two", "shorter", "no ASCII", "no Base64"],
)
def test_a_wrong_key_is_told_by_its_place_and_not_shown(wrong):
    with pytest.raises(SettingsError, match="ATOM_SECRET_KEY: key 2 of 3") as told:
        Cipher([OLD, wrong, NEW])
    assert wrong not in str(told.value)
    assert (told.value.__cause__, told.value.__context__) == (None, None)
