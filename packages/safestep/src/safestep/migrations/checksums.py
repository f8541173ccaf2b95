"""The checksums of sealed revisions, which are never edited again: one line each in a file beside `versions/`."""

import re
from hashlib import sha256
from pathlib import Path

from alembic.util import CommandError

from safestep.migrations.commands import script_directory
from safestep.project import Project

CHECKSUMS = "checksums.txt"
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def seal(project: Project) -> list[str]:
    """Records the checksums of revisions that have none yet; returns their file names."""
    recorded = sealed(project)
    added = {file.name: _checksum(file) for file in _revisions(project) if file.name not in recorded}
    lines = (f"{checksum}  {name}\n" for name, checksum in sorted((recorded | added).items()))
    checksums_file(project).write_text("".join(lines), encoding="utf-8")
    return sorted(added)


def unsealed_changes(project: Project) -> list[str]:
    """One line for each revision that isn't what was sealed: edited, removed, or not sealed yet."""
    recorded = sealed(project)
    present = {file.name: _checksum(file) for file in _revisions(project)}
    lines = [
        f"{name} was edited after it was sealed: restore it and write a new revision"
        for name, checksum in present.items()
        if recorded.get(name, checksum) != checksum
    ]
    lines += [f"{name} was removed after it was sealed: restore it" for name in recorded.keys() - present.keys()]
    lines += [f"{name} is new: `{project.command} seal` when it is final" for name in present.keys() - recorded.keys()]
    return lines


def sealed(project: Project) -> dict[str, str]:
    """The recorded checksums by file name. Raises CommandError when the file has a line that `seal` doesn't write."""
    file = checksums_file(project)
    text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
    recorded: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise CommandError(f"{file}:{number} is no checksum and file name: restore the file")
        checksum, name = match.groups()
        # Of two checksums for one file, the later would replace the sealed one.
        if recorded.setdefault(name, checksum) != checksum:
            raise CommandError(f"{file}:{number} is a second checksum of {name}: restore the file")
    return recorded


def checksums_file(project: Project) -> Path:
    return Path(script_directory(project).dir) / CHECKSUMS


def _revisions(project: Project) -> list[Path]:
    script = script_directory(project)
    folders = script.version_locations or [f"{script.dir}/versions"]
    return sorted(file for folder in folders for file in Path(folder).glob("*.py"))


def _checksum(file: Path) -> str:
    # Git may check files out with CRLF, which isn't an edit.
    return sha256(file.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
