"""One writer per journal: an operating-system lock that dies with its process, so that a crash never
leaves a lock behind.
"""

from __future__ import annotations

import os
import sys

_FAR = 1 << 40  # Windows locks byte ranges and forbids reading them: lock one far behind any journal


def lock(descriptor: int) -> bool:
    """Take the lock of an open file without waiting; False when another session holds it."""
    try:
        _lock(descriptor)
    except OSError:
        return False
    return True


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
