"""A memory of what was computed last, for models that several threads may share."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any


class BoundedCache:
    """Remembers values up to a total size, and forgets those first that were used least lately.

    Threads may share it. A copy of it (of a model, or in another process) starts empty.

    Args:
        most: Total size of the values; the newest one is kept even if it is larger.
    """

    def __init__(self, most: int) -> None:
        self.most, self.size = most, 0
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple:
        return BoundedCache, (self.most, )

    def __len__(self) -> int:
        return len(self._values)

    def keys(self) -> list[Hashable]:
        """Return the keys, the one used least lately first."""
        with self._lock:
            return list(self._values)

    def get(self, key: Hashable) -> Any:
        """Return a value, None if it is not known."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: Hashable, value: Any, size: int = 1, most: int | None = None) -> None:
        """Remember a value.

        Args:
            key: What it was computed from.
            value: Anything but None.
            size: Its share of the total.
            most: Total size from now on, if less than the cache's own.
        """
        with self._lock:
            self.size += size - self._values.pop(key, (None, 0))[1]
            self._values[key] = value, size
            most = self.most if most is None else min(most, self.most)
            while self.size > most and len(self._values) > 1:
                self.size -= self._values.popitem(last=False)[1][1]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
            self.size = 0
