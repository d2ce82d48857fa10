"""TumorSegRobust: tumour contours with an honest statement of how far to trust them.

Research software, not a medical device.
"""

from .version import __version__

__all__ = ["__version__"]
