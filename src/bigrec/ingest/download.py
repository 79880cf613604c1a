"""Fetching the Netflix Prize set from Kaggle. An interrupted download is continued by the next."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bigrec.errors import DataError, ResourceError

try:
    import kagglehub
    import requests
except ImportError as error:
    raise ResourceError.missing_extra("download", "kagglehub") from error

HANDLE: Final = "netflix-inc/netflix-prize-data"
_CACHE_VARIABLE = "KAGGLEHUB_CACHE"
_REFUSED = (401, 403)


@dataclass(frozen=True)
class DownloadSummary:
    """What `download_netflix` fetched."""

    folder: str
    """Where the files are."""
    files: tuple[str, ...]
    """Their names."""
    n_bytes: int
    """Their size."""


def download_netflix(out: Path) -> DownloadSummary:
    """Bring Kaggle's copy of the set into a folder.

    Args:
        out: folder to make; it must not exist yet, or be empty. What has arrived so far waits in a
            hidden folder beside it.

    Raises:
        DataError: `out` holds files already.
        ResourceError: Kaggle refuses, or the connection broke off.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out} is not empty", hint="name a folder that does not exist yet")
    waiting = out.with_name(f".{out.name}.download")
    try:
        with _cache_in(waiting), _words_to_stderr():
            fetched = Path(kagglehub.dataset_download(HANDLE))
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in _REFUSED:
            raise ResourceError(
                f"Kaggle refuses to send {HANDLE} (HTTP {status}): it wants to know who you are",
                hint="make an API token in your Kaggle account and set KAGGLE_USERNAME and "
                "KAGGLE_KEY, or save it as ~/.kaggle/kaggle.json",
            ) from error
        raise ResourceError(
            f"Kaggle did not send {HANDLE} (HTTP {status})", hint="try again later"
        ) from error
    except requests.RequestException as error:
        raise ResourceError(
            f"the connection to Kaggle failed: {error}",
            hint="run the same command again; it goes on where it stopped",
        ) from error
    if out.exists():
        out.rmdir()
    out.parent.mkdir(parents=True, exist_ok=True)
    fetched.rename(out)
    shutil.rmtree(waiting)
    files = sorted(path for path in out.rglob("*") if path.is_file())
    return DownloadSummary(
        str(out),
        tuple(path.relative_to(out).as_posix() for path in files),
        sum(path.stat().st_size for path in files),
    )


@contextmanager
def _cache_in(folder: Path) -> Iterator[None]:
    """Let kagglehub keep what it fetches in a folder, for the length of a block."""
    before = os.environ.get(_CACHE_VARIABLE)
    os.environ[_CACHE_VARIABLE] = str(folder.absolute())
    try:
        yield
    finally:
        if before is None:
            del os.environ[_CACHE_VARIABLE]
        else:
            os.environ[_CACHE_VARIABLE] = before


@contextmanager
def _words_to_stderr() -> Iterator[None]:
    """Keep kagglehub's log off stdout, which is for data, for the length of a block."""
    handlers = [
        handler
        for handler in logging.getLogger("kagglehub").handlers
        if isinstance(handler, logging.StreamHandler)
    ]
    before = [handler.setStream(sys.stderr) for handler in handlers]
    try:
        yield
    finally:
        for handler, stream in zip(handlers, before, strict=True):
            if stream is not None:
                handler.setStream(stream)
