"""Render the letters of the task `words`: `python glyphs.py DejaVuSansMono.ttf` writes glyphs.npz and prints its hash.

Run once: rasters change between versions of font libraries, so the array is shipped. This one was made with Pillow 13.0
from DejaVu Sans Mono 2.37.
"""

import hashlib
import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ADVANCE, HEIGHT, SIZE = 12, 32, 20  # pixels, pixels, points
TOP = 3  # of the line: letters and their descenders then stand in the middle


def glyph(letter: str, font: ImageFont.FreeTypeFont) -> np.ndarray:
    """[ADVANCE, HEIGHT] 0 or 1, column by column: ink is what is at least half covered."""
    canvas = Image.new("L", (ADVANCE, HEIGHT))
    ImageDraw.Draw(canvas).text((0, TOP), letter, font=font, fill=255)
    return (np.asarray(canvas) >= 128).astype(np.uint8).T


if __name__ == "__main__":
    font = ImageFont.truetype(sys.argv[1], SIZE)
    glyphs = np.stack([glyph(letter, font) for letter in "abcdefghijklmnopqrstuvwxyz"])
    np.savez_compressed("glyphs.npz", glyphs=np.packbits(glyphs, axis=-1))
    print(hashlib.sha256(glyphs.tobytes()).hexdigest())
