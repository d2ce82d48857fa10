"""Screen colours in the device-independent form of DICOM (PS3.3 C.10.7.1.1)."""

from __future__ import annotations

import numpy as np

# sRGB to XYZ under its own white, D65 (IEC 61966-2-1), as readers of SEG take the values back to a screen.
_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE = _TO_XYZ.sum(axis=1)
_KNEE = (6 / 29) ** 3


def cielab_of(colour: tuple[int, int, int]) -> tuple[float, float, float]:
    """L* (0..100), a*, b* (D65) of a colour given as red, green, blue (0..255, sRGB)."""
    shown = np.array(colour) / 255
    light = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    share = _TO_XYZ @ light / _WHITE
    x, y, z = np.where(share > _KNEE, np.cbrt(share), share * (29 / 6) ** 2 / 3 + 4 / 29).tolist()
    return min(100.0, 116 * y - 16), 500 * (x - y), 200 * (y - z)
