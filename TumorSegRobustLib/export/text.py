"""Text as DICOM and the planning systems allow it."""

from __future__ import annotations

import re
import unicodedata

from TumorSegRobustLib.errors import UnusableInput

MOST_SHORT = 16  # characters of an SH value
MOST_LONG = 64  # of an LO value
MOST_TEXT = 1024  # of an ST value
# AAPM TG-263 (2018), section 6: at most 16 characters, no spaces, unique without regard to case.
_TG263 = re.compile(r"[A-Za-z0-9_\-+^~.!]{1,16}")
_UTF8 = "ISO_IR 192"


def one_line(what: str, value: str, most: int) -> str:
    """`value` stripped, or UnusableInput when a DICOM LO or SH cannot hold it."""
    text = unicodedata.normalize("NFC", value).strip()
    if not text:
        raise UnusableInput(f"The {what} is empty; give one such as GTVp")
    if len(text) > most:
        raise UnusableInput(
            f"The {what} {text!r} has {len(text)} characters, DICOM allows {most}; shorten it"
        )
    if "\\" in text or any(_is_unwritable(sign) for sign in text):
        raise UnusableInput(
            f"The {what} {text!r} holds a backslash or an unprintable character; leave it out"
        )
    return text


def paragraph(what: str, value: str) -> str:
    """`value` stripped, for a DICOM ST: line breaks allowed, other control characters not."""
    text = unicodedata.normalize("NFC", value).strip()
    if len(text) > MOST_TEXT:
        raise UnusableInput(f"The {what} has {len(text)} characters, DICOM allows {MOST_TEXT}; shorten it")
    if any(_is_unwritable(sign) and sign not in "\r\n\t" for sign in text):
        raise UnusableInput(f"The {what} holds an unprintable character; leave it out")
    return text


def person_name(value: str) -> str:
    """A name as a person has typed it, for a DICOM PN: what has a meaning of its own there becomes a space.

    Never refused: who answers for a contour has been recorded already, and must not keep it from leaving.
    """
    text = unicodedata.normalize("NFC", value)
    kept = "".join(" " if sign in "\\=" or _is_unwritable(sign) else sign for sign in text)
    return " ".join(kept.split())[:MOST_LONG]


def _is_unwritable(sign: str) -> bool:
    """Control characters, and halves of characters as come from a command line in a foreign encoding."""
    return unicodedata.category(sign) in ("Cc", "Cs")


def name_notice(name: str) -> list[str]:
    """What planning systems may dislike about a structure name that DICOM allows; at most one line."""
    if _TG263.fullmatch(name):
        return []
    return [
        f"The name {name!r} does not follow AAPM TG-263 (at most 16 of letters, digits, _-+^~.!); "
        "some planning systems cut it"
    ]


def decimal(value: float, decimals: int = 5) -> str:
    """A decimal string (DS) of at most 16 characters; positions in mm need no more than 5 decimals."""
    text = f"{value:.{decimals}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if len(text) > 16:
        text = f"{value:.9e}"
    return "0" if text == "-0" else text


def character_set(
    present: str | list[str] | None, copied: list[str], own: list[str]
) -> str | list[str] | None:
    """The Specific Character Set to write.

    present: that of the images; copied: text taken over from them; own: text of ours. The images' own set is
    kept wherever it can hold everything, because archives match patients by it; else UTF-8.
    """
    if not all(text.isascii() for text in own):
        return _UTF8
    if not present:
        return None if all(text.isascii() for text in copied) else _UTF8
    return present
