"""Locks on open files. The kernel frees them when the file is closed or its process ends, however it ends."""


def lock(descriptor: int, *, shared: bool = False, wait: bool = True) -> bool:
    """Lock the file; False when another process holds it and `wait` is off."""
    import fcntl  # not on Windows, where this package can be imported too

    mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(descriptor, mode if wait else mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
