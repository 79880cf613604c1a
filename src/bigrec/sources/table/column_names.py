"""What people call the columns of a table of ratings.

Names are compared without case, blanks and punctuation: `User-ID`, `user_id` and `userId` are one.
Each name of a role has a rank; the lowest is taken, and two of one rank are a question.
"""

from __future__ import annotations

import re
from typing import Final

from bigrec.sources.table.plan import ITEM, RATING, ROLES, TIME, USER

_SEPARATORS: Final = re.compile(r"[\W_]+")
_RECBOLE_TYPE: Final = re.compile(r":(?:token|float)(?:_seq)?$")
_PART: Final = re.compile(r"[./]")

_ID_ENDINGS: Final = ("id", "idx", "index", "key", "hash", "uuid", "guid", "num", "nr", "no")
_USERS: Final = frozenset(
    "user usr customer reviewer member rater reader listener viewer visitor client account person "
    "profile player subscriber buyer shopper consumer guest student learner critic voter "
    "benutzer nutzer kunde utilisateur usuario cliente utente".split()
)
_ITEMS: Final = frozenset(
    "product article movie film book business place artist song track album app game anime manga "
    "news recipe joke restaurant hotel venue poi show series episode video course beer wine "
    "podcast content listing offering drama work paper document "
    "artikel produkt produit producto prodotto buch livre libro".split()
)
_ID_RANK, _BARE_RANK = 1, 3
_RANKS: Final[dict[str, tuple[str, ...]]] = {
    # Ids of the words above (customer_id) have _ID_RANK, bare words (customer) _BARE_RANK.
    USER: (
        "userid uid",
        "user",
        "",
        "",
        "username userlogin useremail email login screenname steamid msno reviewprofilename "
        "session sessionid visitid cookieid deviceid u",
    ),
    ITEM: (
        "itemid parentasin",
        "item iid",
        "asin isbn isbn10 isbn13 sku ean upc gtin stockcode imdbid imdb tmdbid gmapid beerid "
        "beerbeerid",
        "",
        "i",
    ),
    RATING: (
        "rating",
        "ratings stars star score overall userrating reviewrating ratingvalue ratingscore "
        "starrating reviewscore userscore myrating bookrating movierating filmrating animerating "
        "beerrating overallrating ratingoverall reviewoverall reviewstars bewertung puntuacion",
        "points grade rate preference liked like thumb thumbs islike isliked isliking feedback "
        "label target r",
        "plays playcount weight count quantity qty listens listencount listeningcount clicks "
        "clickcount views viewcount purchases purchasecount hours hoursplayed playtime "
        "playtimeforever frequency visits checkins ncount nplays",
    ),
    TIME: (
        "timestamp unixreviewtime unixtime unixtimestamp",
        "time datetime ts epoch reviewtime ratingtime eventtime ratingtimestamp reviewtimestamp "
        "eventtimestamp timestampms timestamps createdat ratedat reviewedat",
        "date day reviewdate ratingdate ratingdatestamp eventdate submitted submissiondate created "
        "datecreated creationdate dateadded invoicedate purchasedate orderdate updated updatedat "
        "dateupdated readat lastupdated watchedat playedat datum fecha t",
    ),
}
_COUNTS: Final = frozenset(_RANKS[RATING][3].split())
_OTHERS: Final = frozenset(
    "id index row rowid rownumber age year month week hour price unitprice cost helpful "
    "helpfulnessnumerator helpfulnessdenominator helpfulvotes helpfulvote vote votes totalvotes "
    "verified verifiedpurchase useful funny cool zip zipcode gender reviewid ratingid unnamed0 "
    "indexlevel0 nhelpful nreviews lat lon latitude longitude".split()
)


def fold(name: str) -> str:
    """A name as it is compared: letters and digits in lower case, without RecBole's type."""
    return _SEPARATORS.sub("", plain_name(name).lower())


def plain_name(name: str) -> str:
    """A name without the type that RecBole writes behind it: `user_id:token` is `user_id`."""
    return _RECBOLE_TYPE.sub("", name)


def rank_of(name: str, role: str) -> int | None:
    """How well a name fits a role: 0 is best; None if it does not.

    Args:
        name: as it stands in the file. `review/userId` and `user.id` are known as well.
        role: one of plan.ROLES.
    """
    folded = fold(name)
    last = fold(_PART.split(name)[-1])
    ranks = [_rank_of_folded(form, role) for form in (folded, last)]
    return next((rank for rank in ranks if rank is not None), None)


def is_known(name: str) -> bool:
    """Whether a name stands for any role."""
    return any(rank_of(name, role) is not None for role in ROLES)


def is_count(name: str) -> bool:
    """Whether a rating column of this name counts plays, clicks or purchases."""
    return fold(name) in _COUNTS


def is_no_role(name: str) -> bool:
    """Whether a name says that the column is none of the roles, such as price or age."""
    return not fold(name) or fold(name) in _OTHERS


def _rank_of_folded(folded: str, role: str) -> int | None:
    if ranks := [rank for rank, names in enumerate(_RANKS[role]) if folded in names.split()]:
        return ranks[0]
    words = {USER: _USERS, ITEM: _ITEMS}.get(role, frozenset())
    if any(_base(folded, ending) in words for ending in _ID_ENDINGS):
        return _ID_RANK
    return _BARE_RANK if folded in words or folded.removesuffix("s") in words else None


def _base(folded: str, ending: str) -> str:
    """What is left of a name without an ending of ids, or without `id` before it."""
    if folded.endswith(ending):
        return folded.removesuffix(ending)
    return folded.removeprefix("id") if ending == "id" and folded.startswith("id") else ""
