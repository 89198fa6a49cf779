"""In-memory indexes that dedupe.py stands beside: datasketch's and rensa's, as each documents them."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

#: A peer's copy: so much of both in common, or of the shorter one, exactly counted.
RESEMBLES, CONTAINED = 0.5, 0.8


class Datasketch:
    """`MinHashLSH`, as its documentation has it: 128 permutations, threshold 0.5."""

    def __init__(self) -> None:
        from datasketch import MinHashLSH

        self._index = MinHashLSH(threshold=RESEMBLES, num_perm=128)

    def drawn(self, draw: np.random.Generator) -> Any:
        from datasketch import MinHash

        values = draw.integers(0, 2**32, 128, dtype=np.uint32)
        return MinHash(num_perm=128, hashvalues=values, scheme=MinHash(num_perm=128).scheme)

    def sign(self, shingles: Iterable[bytes]) -> Any:
        from datasketch import MinHash

        made = MinHash(num_perm=128)
        made.update_batch(list(shingles))
        return made

    def query(self, signature: Any) -> Iterable[int]:
        return self._index.query(signature)  # type: ignore[no-any-return]

    def insert(self, number: int, signature: Any) -> None:
        self._index.insert(number, signature)


class Rensa:
    """`RMinHashLSH`: 128 permutations in 32 bands."""

    def __init__(self) -> None:
        from rensa import RMinHashLSH

        self._index = RMinHashLSH(threshold=RESEMBLES, num_perm=128, num_bands=32)

    def drawn(self, draw: np.random.Generator) -> Any:
        return self.sign(split(drawn_shingles(draw)))

    def sign(self, shingles: Iterable[bytes]) -> Any:
        from rensa import RMinHash

        made = RMinHash(num_perm=128, seed=42)
        made.update([shingle.hex() for shingle in shingles])
        return made

    def query(self, signature: Any) -> Iterable[int]:
        return self._index.query(signature)  # type: ignore[no-any-return]

    def insert(self, number: int, signature: Any) -> None:
        self._index.insert(number, signature)


PEERS: dict[str, Callable[[], Any]] = {"datasketch": Datasketch, "rensa": Rensa}


def split(shingles: bytes) -> list[bytes]:
    """The shingles, four bytes each."""
    return [shingles[at : at + 4] for at in range(0, len(shingles), 4)]


def drawn_shingles(draw: np.random.Generator) -> bytes:
    """The shingles of an article that nobody wrote."""
    return bytes(np.sort(draw.integers(0, 2**32, 298, dtype=np.uint32)).tobytes())
