"""Runs a module and samples its stacks by processor time, so that a busy machine doesn't change the picture.

    python -P sampler.py FILE MODULE ARGUMENT…

SIGUSR1 begins, SIGUSR2 ends and writes FILE: a line for each stack, from the outermost function,
`function (path);function (path) count`. Time in C counts for the function that called it; time in the event loop for
the function that it calls next.
"""

import runpy
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

INTERVAL = 0.004  # seconds of processor time; most kernels count no finer

samples: Counter[tuple[tuple[str, str], ...]] = Counter()


def begin(_signal: int, _frame: FrameType | None) -> None:
    samples.clear()
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)


def sample(_signal: int, frame: FrameType | None) -> None:
    if frame and frame.f_code.co_filename == __file__:
        return  # it was still busy with the last sample
    samples[tuple((each.f_code.co_qualname, each.f_code.co_filename) for each in frames(frame))[::-1]] += 1


def frames(frame: FrameType | None) -> Iterator[FrameType]:
    """From the innermost. SQLAlchemy runs in greenlets of its own: what called those follows."""
    greenlet = sys.modules["greenlet"].getcurrent() if "greenlet" in sys.modules else None
    while frame:
        yield frame
        frame = frame.f_back
        if frame is None and greenlet and greenlet.parent:
            greenlet = greenlet.parent
            frame = greenlet.gr_frame


def end(_signal: int, _frame: FrameType | None) -> None:
    signal.setitimer(signal.ITIMER_PROF, 0)
    lines = (
        ";".join(f"{name} ({short(path)})" for name, path in stack) + f" {count}\n" for stack, count in samples.items()
    )
    draft = Path(f"{file}.draft")
    draft.write_text("".join(lines))
    draft.rename(file)


def short(path: str) -> str:
    """From the package on: `sqlalchemy/engine/base.py`, `app/main.py`."""
    folders = sorted((*sys.path, str(Path(runpy.__file__).parent)), key=len, reverse=True)
    return next((path.removeprefix(f"{each}/") for each in folders if each and path.startswith(f"{each}/")), path)


if __name__ == "__main__":
    file, module, *arguments = sys.argv[1:]
    for number, handler in ((signal.SIGPROF, sample), (signal.SIGUSR1, begin), (signal.SIGUSR2, end)):
        signal.signal(number, handler)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
