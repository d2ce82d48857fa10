"""File dialogs that a test answers beforehand; one that nobody expected raises instead of waiting."""

from __future__ import annotations

from typing import Any


class FileDialog:
    """`qt.QFileDialog`: PythonQt's static functions return the chosen path as a str, "" when cancelled."""

    answers: list[str] = []  # noqa: RUF012 - one queue for the process, as there is one user

    @classmethod
    def _answer(cls, title: str) -> str:
        if not cls.answers:
            raise RuntimeError(f"Nobody answers the file dialog {title!r}: fill FileDialog.answers")
        return cls.answers.pop(0)

    @classmethod
    def getSaveFileName(cls, parent: Any = None, title: str = "", folder: str = "", filters: str = "") -> str:
        return cls._answer(title)

    @classmethod
    def getOpenFileName(cls, parent: Any = None, title: str = "", folder: str = "", filters: str = "") -> str:
        return cls._answer(title)

    @classmethod
    def getExistingDirectory(cls, parent: Any = None, title: str = "", folder: str = "") -> str:
        return cls._answer(title)
