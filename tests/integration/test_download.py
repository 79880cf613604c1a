"""`bigrec download` against a local stand-in of Kaggle's service."""

from __future__ import annotations

import io
import json
import random
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from bigrec.errors import DataError, ResourceError
from bigrec.ingest.ingest import ingest_ratings

pytest.importorskip("kagglehub")

from kagglesdk import kaggle_env

from bigrec.ingest.download import download_netflix


class _Kaggle(BaseHTTPRequestHandler):
    """Answers for one data set; may refuse, or break off after some bytes."""

    archive: ClassVar[bytes] = b""
    status: ClassVar[int] = 200
    breaks_after: ClassVar[int | None] = None
    ranges: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.status != 200:
            self._answer(self.status, b"{}")
        elif self.path.endswith("DownloadDataset"):
            self.send_response(302)
            self.send_header("Location", "/archive.zip")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._answer(200, json.dumps({"currentVersionNumber": 2}).encode())

    def do_GET(self) -> None:
        start = 0
        if wanted := self.headers.get("Range"):
            self.ranges.append(wanted)
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        self._answer(206 if start else 200, self.archive[start:], self.breaks_after)

    def _answer(self, status: int, body: bytes, breaks_after: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        self.wfile.write(body[:breaks_after])
        if breaks_after is not None:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def kaggle(
    raw_small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[type[_Kaggle]]:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(raw_small.iterdir()):
            archive.write(path, path.name)
        archive.writestr("more", random.Random(1).randbytes(3 << 20))
    handler = type("_OneKaggle", (_Kaggle,), {"archive": packed.getvalue(), "ranges": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.LOCAL, endpoint)
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_files_arrive_and_can_be_ingested(
    kaggle: type[_Kaggle], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = download_netflix(tmp_path / "raw")
    assert capsys.readouterr().out == ""
    assert "combined_data_1.txt" in summary.files
    assert summary.n_bytes == sum(path.stat().st_size for path in (tmp_path / "raw").iterdir())
    assert not (tmp_path / ".raw.download").exists()
    assert ingest_ratings(tmp_path / "raw", tmp_path / "store").n_ratings == 20_000
    with pytest.raises(DataError, match="not empty"):
        download_netflix(tmp_path / "raw")


def test_a_broken_download_goes_on_where_it_stopped(kaggle: type[_Kaggle], tmp_path: Path) -> None:
    kaggle.breaks_after = 5 << 19
    with pytest.raises(ResourceError, match="connection to Kaggle failed") as caught:
        download_netflix(tmp_path / "raw")
    assert "goes on where it stopped" in caught.value.hint
    assert not (tmp_path / "raw").exists()
    kaggle.breaks_after = None
    download_netflix(tmp_path / "raw")
    assert len(kaggle.ranges) == 1
    assert 1 << 20 <= int(kaggle.ranges[0][6:-1]) <= 5 << 19


@pytest.mark.parametrize("status", [401, 403])
def test_missing_credentials_are_explained(
    status: int, kaggle: type[_Kaggle], tmp_path: Path
) -> None:
    kaggle.status = status
    with pytest.raises(ResourceError, match=f"HTTP {status}.*wants to know who you are") as caught:
        download_netflix(tmp_path / "raw")
    assert "KAGGLE_USERNAME" in caught.value.hint
    assert caught.value.exit_code == 5


def test_other_refusals_are_told(kaggle: type[_Kaggle], tmp_path: Path) -> None:
    kaggle.status = 404
    with pytest.raises(ResourceError, match="HTTP 404"):
        download_netflix(tmp_path / "raw")
