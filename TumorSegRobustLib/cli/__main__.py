"""`python -m TumorSegRobustLib.cli` is the same program as `tumorsegrobust`."""

from .program import main

main()
