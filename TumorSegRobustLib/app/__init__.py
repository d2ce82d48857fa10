"""The browser panel: Slicer's scene and views, served by trame to a page on this machine."""

from TumorSegRobustLib.app.serving import serve

main = serve

__all__ = ["main", "serve"]
