"""Text that any value has and that UTF-8 can carry."""

from typing import Any


def encodable(text: str) -> str:
    r"""Escape lone surrogates, which stand for bytes of a file name that is not UTF-8.

    The result reads `caf\udce9.txt`; any other text is returned as it is.
    """
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def shortened(text: str, length: int) -> str:
    """Return the text, cut to this number of characters with an ellipsis at its end."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def text_of(value: Any) -> str:
    """Return the encodable text of any value, even if its `__str__` raises."""
    try:
        if isinstance(value, bytes | bytearray):
            return value.decode(errors="backslashreplace")
        # A subclass of str has methods of its own; only its characters count.
        return encodable(str.__str__(value if isinstance(value, str) else str(value)))
    except BaseException as error:
        return f"(no text: {simple_name(type(error))})"


def simple_name(kind: type) -> str:
    """Return the name of a class, whatever its metaclass makes of it."""
    name: str = type.__dict__["__name__"].__get__(kind)
    return name


def full_name(kind: type) -> str:
    """Return the module and the qualified name of a class, as in `builtins.ValueError`."""
    module, name = (type.__dict__[each].__get__(kind) for each in ("__module__", "__qualname__"))
    return f"{text_of(module)}.{encodable(name)}"
