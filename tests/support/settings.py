"""Settings that don't hold."""

import pytest

from app.core.config import load_settings
from app.core.errors import InvalidSettings


def faults_of(**environment: str) -> list[str]:
    """What these variables are refused for, one line a fault."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with pytest.raises(InvalidSettings) as raised:
            load_settings()
    assert str(raised.value) == "\n".join(["Invalid settings:", *(f"  {fault}" for fault in raised.value.faults)])
    return raised.value.faults
