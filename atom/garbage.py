"""What a process has loaded stays, so that Python need not look through it for garbage."""

import gc
from typing import Final

# Python looks each time so many objects more were made than went, by default 700: several times in
# each request. What is large is not garbage more often, and a look takes the longer for it.
_YOUNG: Final = 20_000


def settle() -> None:
    """To be called when everything is loaded, and before forking: processes then share more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
