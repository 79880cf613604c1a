"""Every kind of raw data that is recognised can be read."""

from __future__ import annotations

from bigrec.ingest.readers import READERS
from bigrec.ingest.sources import SOURCES


def test_every_source_has_a_reader_and_bears_its_name() -> None:
    assert {name: source.name for name, source in SOURCES.items()} == {n: n for n in READERS}
