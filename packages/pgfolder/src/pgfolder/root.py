"""The account that runs the embedded PostgreSQL, and folders that this account can reach.

PostgreSQL refuses to run as root, so root starts it as somebody else: the owner of the checkout, or `nobody`.
Permissions of existing folders stay as they are; what the account cannot reach is placed under /var/tmp.
Without root all of this is the identity: `account_for` returns None and every path stays where it is.
"""

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

PLACES = Path("/var/tmp")  # noqa: S108 - what is used in it is checked to be ours
LINK = "moved-to"


class EmbeddedPostgresError(Exception):
    """One line for a person: what is in the way, and what to do about it."""


class Account(NamedTuple):
    uid: int
    gid: int


def account_for(data_dir: Path) -> Account | None:
    """Who must run the server for this existing folder; None means the current user."""
    if os.geteuid() != 0:
        return None
    for folder in (data_dir, data_dir.parent):
        try:
            owner = pwd.getpwuid(folder.stat().st_uid)
        except KeyError:  # a bind mount's owner; initdb insists on an account with a name
            continue
        if owner.pw_uid != 0:
            return Account(owner.pw_uid, owner.pw_gid)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise EmbeddedPostgresError(
            "PostgreSQL cannot run as root and there is no user 'nobody': start this as another user"
        ) from None
    return Account(nobody.pw_uid, nobody.pw_gid)


def run(
    command: Sequence[str | Path],
    account: Account | None,
    *,
    cwd: Path = Path("/"),
    env: Mapping[str, str] | None = None,
    stdin: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's programs as the account; the caller looks at the return code."""
    # A bare environment: our secrets are not the account's business, and PGPORT and the like would redirect.
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return subprocess.run(
        command,
        cwd=cwd,
        env={**kept, "LC_ALL": "C", **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )


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


def short_hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:12]


def home_for(data_dir: Path, account: Account | None) -> Path:
    """Where the data lives: `data_dir` itself, or the folder its link `moved-to` names.

    The link carries a random name, so that deleting `data_dir` always means an empty database.
    """
    link, prefix = data_dir / LINK, f"postern-{short_hash(str(data_dir))}-"
    if link.is_symlink():
        home = link.readlink()
        if home.parent != PLACES or not home.name.startswith(prefix):
            raise EmbeddedPostgresError(f"{link} leads to another folder's data: delete it for an empty database")
        if home.exists():
            return make_private_folder(home, account)
        link.unlink()  # /var/tmp has been cleaned
    elif account is None or (data_dir / "postgres").exists() or _can_enter(data_dir, account):
        return data_dir
    home = make_private_folder(Path(tempfile.mkdtemp(prefix=prefix, dir=PLACES)), account)
    link.symlink_to(home)
    return home


def programs_for(package: Path, version: str, account: Account | None) -> Path:
    """The folder of PostgreSQL's programs: the installed package's, or a copy that the account can read."""
    programs = Path("pginstall", "bin")
    if account is None or _can_run(package / programs / "postgres", account):
        return package / programs
    place = PLACES / f"postern-postgres-{version}-{short_hash(str(package))}"
    if not place.exists():
        _copy_package(package, place)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        raise EmbeddedPostgresError(f"{place} is not root's own folder: remove it")
    return place / package.name / programs


def _can_enter(folder: Path, account: Account) -> bool:
    return run(["/bin/sh", "-c", 'cd "$1"', "sh", folder], account).returncode == 0


def _can_run(program: Path, account: Account) -> bool:
    try:
        return run([program, "--version"], account).returncode == 0
    except PermissionError:
        return False


def _copy_package(package: Path, place: Path) -> None:
    """Copy the package and the libraries beside it, whose relative place is written in the programs."""
    draft = Path(tempfile.mkdtemp(prefix=f"{place.name}-", dir=place.parent))
    try:
        for part in (package, package.with_name(f"{package.name}.libs")):
            if part.exists():
                shutil.copytree(part, draft / part.name, ignore=shutil.ignore_patterns("include", "*.a", "*.pyc"))
        for path in (draft, *draft.rglob("*")):
            path.chmod(0o755)
        draft.rename(place)
    except OSError:
        if not place.exists():  # otherwise another process was first, and its copy is as good
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
