"""Shuffling without a table: a keyed permutation of any range in constant memory."""

import numpy as np

ROUNDS = 4
_MULTIPLIERS = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


def mix(*numbers: int) -> int:
    """Hash integers to a well-mixed 64-bit number, the same on every machine.

    The finaliser of SplitMix64 (Steele, Lea and Flood, 2014), chained.
    """
    state = np.zeros(1, np.uint64)
    for number in numbers:
        state = _mix(state ^ np.uint64(number % 2**64))
    return int(state[0])


def _mix(values: np.ndarray) -> np.ndarray:
    first, second, third = (np.uint64(m) for m in _MULTIPLIERS)
    values = values + first  # unsigned arrays wrap around silently
    values = (values ^ (values >> np.uint64(30))) * second
    values = (values ^ (values >> np.uint64(27))) * third
    return values ^ (values >> np.uint64(31))


def permute(positions: np.ndarray, size: int, key: int) -> np.ndarray:
    """Map positions of ``range(size)`` to their places in the shuffle of ``key``.

    A Feistel network over the next power of four, walked until it lands inside the range (Black
    and Rogaway, Ciphers with arbitrary finite domains, 2002): a bijection that needs no table, so
    that a shuffle of millions of samples costs no memory in any process.

    Args:
        positions: ``[n]`` integers in ``[0, size)``.
        size: Length of the range.
        key: Key of the permutation.

    Returns:
        ``[n]`` int64.
    """
    values = np.asarray(positions).astype(np.uint64)
    half = np.uint64(max(1, (max(size - 1, 1).bit_length() + 1) // 2))
    mask = (np.uint64(1) << half) - np.uint64(1)
    keys = [np.uint64(mix(key, r)) for r in range(ROUNDS)]
    outside = np.ones(len(values), bool)
    while outside.any():
        left, right = values[outside] >> half, values[outside] & mask
        for round_key in keys:
            left, right = right, left ^ (_mix(right ^ round_key) & mask)
        values[outside] = (left << half) | right
        outside[outside] = values[outside] >= np.uint64(size)
    return values.astype(np.int64)
