"""Folders that the account which runs PostgreSQL can reach.

Permissions of existing folders stay as they are; what the account cannot reach is kept under /var/tmp instead.
"""

import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

from pgfolder.accounts import Account, account_for, run
from pgfolder.errors import EmbeddedPostgresError

ELSEWHERE = Path("/var/tmp")  # noqa: S108 - what is used in it is checked to be ours
LINK = "moved-to"


def make_data_dir(data_dir: Path) -> Account | None:
    """Create the folder for the account; an existing folder is handed over only while it is empty."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    account = account_for(data_dir)
    if account and data_dir.stat().st_uid == 0 and not any(data_dir.iterdir()):
        os.chown(data_dir, account.uid, account.gid)
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
    found = path.lstat()
    owners = {os.geteuid(), account.uid if account else os.geteuid()}
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners or stat.S_IMODE(found.st_mode) & 0o077:
        raise EmbeddedPostgresError(f"{path} is not a private folder (mode 700) of this user: remove it")
    if account:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
    return path


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
    elif account is None or (data_dir / "postgres").exists() or _can_enter(data_dir, account):
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


def _can_enter(folder: Path, account: Account) -> bool:
    return run(["/bin/sh", "-c", 'cd "$1"', "sh", folder], account).returncode == 0
