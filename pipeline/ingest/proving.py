"""Which H.265 key frames of a camera are believed, where each has to be proven whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.ingest.agreement import calm, signature_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.ingest.agreement import Signature
    from pipeline.ingest.decoding import Codec
    from pipeline.ingest.look import Look

# So many key frames in a row without a proof, and never one with it: it is the encoder's way.
_UNPROVABLE_FROM = 4


class Proving:
    """Judges the key frames of one camera, over all its sessions.

    Parameter sets that come with a key frame may be damaged as well, and nothing in the picture's
    own bytes tells: new ones are believed when the next key frame has them too. Of an encoder
    whose pictures can never be proven (nobody has seen them all), those that agree with the one
    before are believed, as are pictures with so few bytes that nothing can be told of them.
    """

    def __init__(self) -> None:
        self._proven_for: Codec | None = None  # with it the newest proven picture was decoded
        self._told: Codec | None = None
        self._unproven = 0  # key frames in a row, of this codec
        self._good: Signature | None = None
        self._last: Signature | None = None

    def believes(self, look: Look, codec: Codec, prove: Callable[[], bool | None]) -> bool:
        """The whole look of a key frame, in order of time, and what it was decoded with.

        ``prove``: whether it is whole; None if that can't be told.
        """
        signature = signature_of(look)
        if codec != self._told:
            self._unproven = 0
        believed = self._believes(signature, codec, proven=prove())
        self._told, self._last = codec, signature
        if believed:
            self._good = signature
        return believed

    def _believes(self, signature: Signature, codec: Codec, *, proven: bool | None) -> bool:
        if proven:
            self._unproven = 0
            if self._proven_for is not None and codec not in (self._proven_for, self._told):
                return False
            self._proven_for = codec
            return True
        if proven is None:
            return self._like(self._good, signature) or self._like(self._last, signature)
        self._unproven += 1
        if codec == self._proven_for or self._unproven < _UNPROVABLE_FROM:
            return False
        return self._like(self._last, signature)

    def _like(self, other: Signature | None, signature: Signature) -> bool:
        return other is not None and calm(other, signature)
