"""What the licence of a package allows, as far as somebody must know before using it."""

from __future__ import annotations

import re

_FREE = {"APACHE-2.0", "MIT", "BSD-2-CLAUSE", "BSD-3-CLAUSE", "CC0-1.0", "CC0 1.0", "PUBLIC DOMAIN"}
_CREATIVE = re.compile(r"CC[ -]BY((?:[ -](?:NC|SA|ND))*)(?:[ -][\d.]+)?", re.IGNORECASE)


def restriction_of(licence: str) -> str:
    """One sentence about what a restrictive licence permits; "" for one that permits any use.

    >>> restriction_of("Apache-2.0"), restriction_of("CC BY 4.0")
    ('', '')
    >>> restriction_of("CC BY-NC 4.0")
    'It permits non-commercial use only, with its authors named.'
    """
    name = " ".join(licence.split())
    creative = _CREATIVE.fullmatch(name)
    if name.upper() in _FREE:
        return ""
    if creative is None:
        return "This program does not know that licence: its text lies in the folder of the model."
    terms = set(creative[1].upper().replace("-", " ").split())
    if not terms & {"NC", "ND"}:
        return ""
    use = "non-commercial use only" if "NC" in terms else "use"
    share = ", what is made of it shared under the same licence" if "SA" in terms else ""
    kept = ", and no altered version passed on" if "ND" in terms else ""
    return f"It permits {use}, with its authors named{share}{kept}."
