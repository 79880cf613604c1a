"""What of an epoch is trained when several devices share its batches."""

from __future__ import annotations

from collections.abc import Iterator

from bigrec.rows import ITEM_INDEX, PAIRS, RATING, ROW_LENGTHS, USER_INDEX
from bigrec.train.epochs import Feed
from bigrec.train.loop import Block


class EvenFeed:
    """A feed whose every batch can be dealt out to devices in equal parts.

    Of the last batch of an epoch, which is as large as it happens to be, the rows that are left
    over after dealing, fewer than there are devices, are not trained in this epoch.
    """

    def __init__(self, feed: Feed, n_devices: int) -> None:
        """Take a feed whose other batches divide by the devices."""
        self._feed, self._n_devices = feed, n_devices
        self.n_rows = feed.n_rows

    def close(self) -> None:
        """Stop reading ahead, after the last epoch."""
        self._feed.close()

    def blocks(self, epoch: int, first_block: int = 0) -> Iterator[Block]:
        """The blocks of an epoch from the given one on."""
        for block in self._feed.blocks(epoch, first_block):
            n_rows = block[PAIRS].shape[1] if PAIRS in block else len(block[USER_INDEX])
            n_dealt = n_rows - n_rows % self._n_devices
            if n_dealt == n_rows:
                yield block
            elif n_dealt:
                yield _first_rows(block, n_dealt)


def _first_rows(block: Block, n_rows: int) -> Block:
    if PAIRS in block:
        return {PAIRS: block[PAIRS][:, :n_rows]}
    lengths = block[ROW_LENGTHS][:n_rows]
    n_ratings = int(sum(lengths.numpy().tolist()))
    return {
        USER_INDEX: block[USER_INDEX][:n_rows],
        ROW_LENGTHS: lengths,
        ITEM_INDEX: block[ITEM_INDEX][:n_ratings],
        RATING: block[RATING][:n_ratings],
    }
