"""The account that runs PostgreSQL, which refuses to run as root.

Root starts it as somebody else: the owner of the folder or of its parent, or `nobody`. Other services run as `nobody`
too, so the server then has a group number of its own, and its folders let in that group alone. Without root there is
nothing to decide: `account_for` returns None, which stands for the current user everywhere in this package.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pgfolder.errors import EmbeddedPostgresError

# A number needs no entry in /etc/group. Neither Debian's nor systemd's table gives these to anybody, and they are
# within the 65,536 numbers that a container may have.
GROUPS = range(65520, 65534)


class Account(NamedTuple):
    uid: int
    gid: int
    shared: bool = False
    """Others run as this user too: what they mustn't reach is closed by the group."""


def account_for(data_dir: Path) -> Account | None:
    """Who must run the server for this existing folder; None means the current user."""
    if os.geteuid() != 0:
        return None
    import pwd  # not on Windows, where this package can be imported too

    for folder in (data_dir / "postgres", data_dir, data_dir.parent):
        try:
            owner = pwd.getpwuid(folder.stat().st_uid)
        except (FileNotFoundError, KeyError):  # a bind mount's owner has no name, and initdb insists on one
            continue
        if owner.pw_name == "nobody":
            break
        if owner.pw_uid != 0:
            return Account(owner.pw_uid, owner.pw_gid)
    try:
        return Account(pwd.getpwnam("nobody").pw_uid, _free_group(), shared=True)
    except KeyError:
        raise EmbeddedPostgresError(
            "PostgreSQL cannot run as root and there is no user 'nobody': start this as another user"
        ) from None


def _free_group() -> int:
    import grp

    for number in GROUPS:
        try:
            grp.getgrgid(number)
        except KeyError:
            return number
    numbers = f"{GROUPS[0]} to {GROUPS[-1]}"
    raise EmbeddedPostgresError(f"PostgreSQL needs a group number, and {numbers} are taken: start this as another user")


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
        # As the first group, not only a further one: that is what /proc/PID/cwd asks for.
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
