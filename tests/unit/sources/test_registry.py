"""Sources of other packages are found by their entry points, and broken ones break nothing else."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from tests.support.netflix_files import write_netflix

from bigrec.errors import DataError, SettingsError
from bigrec.sources.netflix import NetflixSource
from bigrec.sources.registry import SOURCES, find_source, open_source, register_source, source_names

PLUGIN = """
from bigrec.interactions import Scale
from bigrec.sources.contract import BatchSource

class Source(BatchSource):
    name = "songs"
    signature = "songs.parquet"
    scale = Scale.even(1, 5, 5)

    @classmethod
    def recognises(cls, folder):
        return folder.has("songs.parquet")

    def files(self):
        return [[self.folder.find("songs.parquet")]]

    def batches(self):
        return iter(())
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def install(site: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: str) -> None:
    """A package that adds a source."""
    module = f"plugin_{name}"
    (site / f"{module}.py").write_text(textwrap.dedent(code))
    info = site / f"bigrec_{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: bigrec-{name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[bigrec.sources]\n{name} = {module}:Source\n")
    monkeypatch.delitem(sys.modules, module, raising=False)


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "songs.parquet").write_bytes(b"PAR1")
    return raw


def test_the_sources_bear_their_names() -> None:
    assert {name: source.name for name, source in SOURCES.items()} == {n: n for n in SOURCES}


def test_a_package_adds_a_source(site: Path, songs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site, monkeypatch, "songs", PLUGIN)
    assert open_source(songs).name == "songs"
    assert open_source(songs, "songs").name == "songs"
    assert find_source("songs").signature == "songs.parquet"
    with pytest.raises(SettingsError) as caught:
        find_source("song")
    assert "songs" in caught.value.hint


def test_no_package_is_loaded_for_what_is_known(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, monkeypatch, "songs", PLUGIN)
    assert isinstance(open_source(write_netflix(tmp_path / "netflix")), NetflixSource)
    assert "plugin_songs" not in sys.modules


def test_a_package_does_not_replace_a_source(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site, monkeypatch, "netflix", PLUGIN)
    assert find_source("netflix") is NetflixSource


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import nowhere_to_be_found", "No module named 'nowhere_to_be_found'"),
        ("raise ValueError('odd')", "ValueError: odd"),
        ("", "has no attribute 'Source'"),
        (
            "class Source:\n    name = 'broken'",
            "is no subclass of BatchSource or TextSource: found",
        ),
        (PLUGIN, "calls itself 'songs'"),
        (PLUGIN.partition("    def batches")[0], "lacks batches"),
    ],
)
def test_a_broken_package_is_named_and_stands_in_nobodys_way(
    code: str, reason: str, site: Path, songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, monkeypatch, "broken", code)
    with pytest.raises(SettingsError, match="bigrec-broken") as caught:
        open_source(songs, "broken")
    assert reason in caught.value.message
    with pytest.raises(DataError, match=r"found songs\.parquet; the source 'broken' of"):
        open_source(songs)
    install(site, monkeypatch, "songs", PLUGIN)
    assert open_source(songs).name == "songs"


def test_two_packages_cannot_share_a_name(
    site: Path, songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, monkeypatch, "songs", PLUGIN)
    other = site / "another-1.0.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: another\nVersion: 1.0\n")
    (other / "entry_points.txt").write_text("[bigrec.sources]\nsongs = plugin_songs:Source\n")
    with pytest.raises(SettingsError, match="another, bigrec-songs each offer a source 'songs'"):
        open_source(songs, "songs")


def test_a_source_is_registered_for_this_process(
    songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bigrec.sources.registry._registered", {})
    names: dict[str, Any] = {}
    exec(PLUGIN, names)
    with pytest.raises(DataError, match="holds no ratings"):
        open_source(songs)
    register_source(names["Source"])
    assert source_names()[-1] == "songs"
    assert open_source(songs).name == "songs"
    names["Source"].name = "netflix"
    with pytest.raises(SettingsError, match="bigrec has a source 'netflix' itself"):
        register_source(names["Source"])
    nothing: Any = 5
    with pytest.raises(SettingsError, match="no subclass"):
        register_source(nothing)
