"""For the tests of leaving hospitals out: three sites, and a configuration over them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from TumorSegRobustLib.evaluation.manifest import ManifestCase

SITES = {"east": 6, "west": 4, "north": 1}
TRAIN = {"label_maps": "maps", "network": {"name": "UNet", "args": {}}, "steps": 10}


def listed(sites: Mapping[str, int] = SITES) -> list[ManifestCase]:
    return [
        ManifestCase(f"{site}-{n}", site, {"flair": Path(f"{site}-{n}.nii.gz")}, Path("m"), f"{site}-{n}")
        for site, count in sites.items()
        for n in range(count)
    ]


def a_config(folder: Path, **changes: Any) -> Path:
    data = {"manifest": "cases.csv", "sites": ["east", "west"], "further": ["north"], "train": TRAIN,
            "arms": ["baseline", "conventional", "style"], **changes}  # fmt: skip
    path = folder / "loho.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in data.items() if value is not None}))
    return path
