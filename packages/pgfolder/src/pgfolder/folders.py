"""Folders that the account which runs PostgreSQL can reach.

Permissions of existing folders stay as they are; what the account cannot reach, or can't have for itself, is kept under
/var/tmp instead.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pgfolder.accounts import GROUPS, Account, account_for, run
from pgfolder.errors import EmbeddedPostgresError

ELSEWHERE = Path("/var/tmp")  # noqa: S108 - what is used in it is checked to be ours
LINK = "moved-to"
CHANGE_LOCK = "change.lock"


def make_data_dir(data_dir: Path) -> Account | None:
    """Create the folder for the account; an existing folder is handed over only while it is empty.

    One that an earlier version gave to `nobody` is closed to whatever else runs as that user.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    account = account_for(data_dir)
    if account:
        with _opened(data_dir) as folder:
            if _may_be_given(folder, account):
                _give(folder, account)
    return account


def open_own_file(path: Path, account: Account | None) -> int:
    """A descriptor of the file, created when missing; it belongs to the account, not to root."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    if account:
        os.fchown(descriptor, account.uid, account.gid)
    return descriptor


def make_private_folder(path: Path, account: Account | None) -> Path:
    """A folder that only the account may enter; refuses what somebody else has put at its place."""
    path.mkdir(mode=0o700, exist_ok=True)
    try:
        with _opened(path) as folder:
            if _is_private(os.fstat(folder), account):
                if account:
                    _give(folder, account)
                return path
    except OSError:  # it is a link, a file or closed to us
        pass
    raise EmbeddedPostgresError(f"{path} is not a private folder (mode 700) of this user: remove it")


def home_for(data_dir: Path, account: Account | None) -> Path:
    """Where the data lives: `data_dir` itself, or the folder that its link `moved-to` names.

    The link carries a random name, so that deleting `data_dir` always means an empty database.
    """
    link, prefix = data_dir / LINK, f"pgfolder-{short_hash(str(data_dir))}-"
    if link.is_symlink():
        home = link.readlink()
        if home.parent != ELSEWHERE or not home.name.startswith(prefix):
            raise EmbeddedPostgresError(f"{link} leads to another folder's data: delete it for an empty database")
        if home.exists():
            return make_private_folder(home, account)
        link.unlink()  # /var/tmp has been cleaned
    elif account is None or (data_dir / "postgres").exists() or _suits(data_dir, account):
        return data_dir
    home = make_private_folder(Path(tempfile.mkdtemp(prefix=prefix, dir=ELSEWHERE)), account)
    link.symlink_to(home)
    return home


def remove_data(data_dir: Path) -> None:
    """Deletes the folder, and what is kept elsewhere for it. Stop the server first."""
    link = data_dir / LINK
    if link.is_symlink():
        shutil.rmtree(link.readlink(), ignore_errors=True)
    shutil.rmtree(data_dir, ignore_errors=True)


def short_hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:12]


def _suits(data_dir: Path, account: Account) -> bool:
    """Whether the account can enter, and nobody who shares it."""
    is_closed = not account.shared or _is_private(data_dir.stat(), account)
    return is_closed and run(["/bin/sh", "-c", 'cd "$1"', "sh", data_dir], account).returncode == 0


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """Its descriptor: what is looked at and changed is one folder, whatever happens to its path meanwhile."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _may_be_given(folder: int, account: Account) -> bool:
    found, names = os.fstat(folder), os.listdir(folder)
    if account.shared and CHANGE_LOCK in names:
        return found.st_uid == account.uid or _is_closed(found)
    return found.st_uid in (0, account.uid) and not names


def _is_private(found: os.stat_result, account: Account | None) -> bool:
    if account and account.shared and _is_closed(found):
        return True
    owners = {os.geteuid(), account.uid if account else os.geteuid()}
    return found.st_uid in owners and not found.st_mode & 0o077


def _is_closed(found: os.stat_result) -> bool:
    """Whether root has given the folder to a shared account."""
    return found.st_uid == 0 and found.st_gid in GROUPS and not found.st_mode & 0o007


def _give(folder: int, account: Account) -> None:
    """Let the account in, and nobody else. A shared one owns no folder: whoever shares it could open that again."""
    if account.shared:
        os.fchown(folder, 0, account.gid)
        os.fchmod(folder, 0o770)
    else:
        os.fchown(folder, account.uid, account.gid)
