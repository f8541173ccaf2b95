"""Several processes hold one server: the last to stop ends it, and a killed one leaves nothing in the way."""

import os
import shutil
import signal
from pathlib import Path

from pgfolder_support.servers import another_holder, ask, end, line, lives, server, wait_until


def test_only_the_last_holder_stops_the_server(data_dir: Path) -> None:
    first, second = server(data_dir), server(data_dir)
    first.start()
    second.start()
    pid = first.pid
    first.stop()
    first.stop()
    assert ask(second, "SELECT 1") == 1
    second.stop()
    assert not lives(pid)
    assert second.pid is None


def test_processes_that_start_together_share_one_server(new_dir: Path) -> None:
    with another_holder(new_dir) as one, another_holder(new_dir) as two:
        pid = int(line(one))
        assert int(line(two)) == pid
        one.communicate()
        assert lives(pid)
        two.communicate()
        assert not lives(pid)


def test_a_server_whose_holder_was_killed_is_taken_over(data_dir: Path) -> None:
    with another_holder(data_dir) as holder:
        pid = int(line(holder))
        holder.kill()
    with server(data_dir) as postgres:
        assert postgres.pid == pid
        assert ask(postgres, "SELECT 1") == 1
    assert not lives(pid)


def test_an_interrupt_in_the_terminal_does_not_reach_the_server(data_dir: Path) -> None:
    with another_holder(data_dir) as holder, server(data_dir) as postgres:
        pid = int(line(holder))
        os.killpg(holder.pid, signal.SIGINT)
        assert line(holder) == "interrupted"
        assert os.getpgid(pid) != holder.pid
        assert os.getsid(pid) != holder.pid
        assert ask(postgres, "SELECT 1") == 1


def test_an_interrupted_creation_is_done_again(new_dir: Path) -> None:
    with another_holder(new_dir) as holder:
        wait_until(lambda: list(new_dir.glob("postgres.new-*/PG_VERSION")))
        os.killpg(holder.pid, signal.SIGKILL)
    assert not (new_dir / "postgres").exists()
    with server(new_dir) as postgres:
        assert ask(postgres, "SELECT 1") == 1
    assert not list(new_dir.glob("postgres.new-*"))


def test_a_deleted_folder_means_a_new_database_that_old_holders_leave_alone(new_dir: Path) -> None:
    old = server(new_dir)
    old.start()
    orphan = old.pid
    assert orphan
    shutil.rmtree(new_dir)
    try:
        with server(new_dir) as new:
            old.stop()
            assert new.pid != orphan
            assert ask(new, "SELECT 1") == 1
    finally:
        end(orphan)
