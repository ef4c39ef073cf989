"""Where a voice fell silent, sooner and finer than a voice model tells: that hears it for 100 ms after its last sound.

The loudness of short blocks is compared with the loudest of this voice and the quietest of this room. Where the two lie
too close together (a noisy room, a far microphone) it knows nothing, and the voice model decides alone.
"""

from __future__ import annotations

import numpy as np

from workbench.engines.base import SAMPLE_RATE_HZ, VAD_FRAME_SAMPLES, Samples

BLOCK_SAMPLES = 128
"""8 ms: finer than any gap that matters."""

BELOW_VOICE_DB = 32.0
"""A block so far below the loudest of the voice is no voice; final consonants lie some 25 dB below the vowels."""

ABOVE_ROOM_DB = 8.0
"""A block that is not louder than the room by this is the room."""

CLEAR_DB = 24.0
"""Least distance of voice and room for the loudness to tell anything."""

ROOM_RISE_DB_PER_S = 6.0
"""How fast a room may grow louder; it grows quieter at once."""

VOICE_FALL_DB_PER_S = 3.0
"""How fast the loudest of the voice is forgotten."""

SILENCE_DB = -90.0
"""Digital silence, dBFS: rooms are louder."""


class VoiceEdge:
    """Follows the loudness of one stream.

    Attributes:
        room_db: The quietest of late, dBFS.
        voice_db: The loudest of the voice of late, dBFS.
        frame_db: Loudest block of the last frame, dBFS.
        n_samples: Samples taken.
        last_audible: One after the last sample that was as loud as the voice.
    """

    def __init__(self) -> None:
        self.room_db = -50.0
        self.voice_db = SILENCE_DB
        self.frame_db = SILENCE_DB
        self.n_samples = 0
        self.last_audible = 0

    @property
    def clear(self) -> bool:
        """Whether voice and room lie far enough apart."""
        return self.voice_db - self.room_db >= CLEAR_DB

    @property
    def threshold_db(self) -> float:
        """Loudness from which a block belongs to the voice, dBFS."""
        return max(self.voice_db - BELOW_VOICE_DB, self.room_db + ABOVE_ROOM_DB)

    def push(self, frame: Samples, voiced: bool) -> bool:
        """Takes the next frame.

        Args:
            frame: (512,) float32 in [-1, 1], 16 kHz.
            voiced: Whether the voice model hears speech in it.

        Returns:
            Whether any of it is as loud as the voice; True where that cannot be told.
        """
        blocks = frame.reshape(-1, BLOCK_SAMPLES)
        loudness = np.maximum(10.0 * np.log10(np.mean(blocks * blocks, axis=1) + 1e-12), SILENCE_DB)
        self.frame_db = float(loudness.max())
        seconds = VAD_FRAME_SAMPLES / SAMPLE_RATE_HZ
        self.room_db = min(float(loudness.min()), self.room_db + ROOM_RISE_DB_PER_S * seconds)
        if voiced:
            self.voice_db = max(self.frame_db, self.voice_db - VOICE_FALL_DB_PER_S * seconds)
        self.n_samples += VAD_FRAME_SAMPLES
        if not self.clear:
            self.last_audible = self.n_samples
            return True
        loud = np.flatnonzero(loudness >= self.threshold_db)
        if not len(loud):
            return False
        self.last_audible = self.n_samples - VAD_FRAME_SAMPLES + (int(loud[-1]) + 1) * BLOCK_SAMPLES
        return True
