"""The pages that mails link to, as a browser shows them under their policy."""

import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from app.core.product import NAME
from tests.support.process import POSTERN, Service, environment, started
from tests.support.server import Clone

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium here")


@pytest.fixture(scope="module")
async def service(template: URL, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with Clone(template) as url:
        with started(POSTERN, tmp_path_factory.mktemp("service"), environment(url)) as service:
            yield service


def shown(service: Service, path: str, profile: Path) -> str:
    """The page's elements after its script ran."""
    options = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--dump-dom")
    address = f"http://127.0.0.1:{service.port}{path}"
    return subprocess.run((str(BROWSER), *options, address), capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("path", "title"),
    [("/verify-email", "Confirm your e-mail address"), ("/set-password", "Set your password")],
)
def test_a_link_with_its_token_can_be_pressed_and_one_without_it_cannot(
    service: Service, tmp_path: Path, path: str, title: str
) -> None:
    whole = shown(service, f"{path}#token=abc", tmp_path)
    cut = shown(service, path, tmp_path)

    for page in (whole, cut):
        assert f"<strong>{NAME}</strong>" in page
        assert f'<span id="address">127.0.0.1:{service.port}</span>' in page
        assert f"<h1>{title}</h1>" in page
    assert f"<button>{title}</button>" in whole
    assert re.search(r'<button disabled="">', cut)
    assert '<p role="status">The link is incomplete' in cut
    assert '<p role="status"></p>' in whole
