"""The server that gates and rehearsals make databases on."""

import os
from pathlib import Path

import pytest
from pgfolder.folders import LINK

from app.db.migrations import project


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as somebody else")
def test_a_folder_that_the_server_cannot_enter_leaves_nothing_elsewhere(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert project.scratch_server

    with project.scratch_server(tmp_path / "postgres", {"fsync": "off"}):
        elsewhere = (tmp_path / "postgres" / LINK).readlink()
        assert elsewhere.is_dir()

    assert not elsewhere.exists()
