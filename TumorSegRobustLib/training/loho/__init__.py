"""Leave one hospital out: does what is trained here hold in a hospital that training never saw?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from TumorSegRobustLib.progress import Progress


def main(config: Path, out: Path, *, progress: Progress | None = None) -> dict[str, Any]:
    """Run (or go on with) the experiments of a YAML file; `tables.json` and `results.json` lie in `out`."""
    import json

    from TumorSegRobustLib.trust.adapt import Adapting

    from .config import read_loho
    from .runner import run_all
    from .tables import all_tables

    results = run_all(read_loho(config), out, progress, adapter=Adapting)
    tables = all_tables(results)
    (out / "tables.json").write_text(json.dumps(tables, indent=1) + "\n", encoding="utf-8")
    return {"runs": len(results["runs"]), "left_out": results["left_out"], **tables}
