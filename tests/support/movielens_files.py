"""MovieLens files in every published form, of three ratings."""

from __future__ import annotations

from pathlib import Path

MOVIELENS_ROWS = [(1, 31, 2.5, 1260759144), (2, 31, 4.0, 835355493), (1, 7, 5.0, 1260759182)]


def write_movielens(folder: Path, dialect: str) -> Path:
    folder.mkdir(parents=True)
    whole = [(user, movie, int(rating + 0.5), t) for user, movie, rating, t in MOVIELENS_ROWS]
    if dialect == "csv":
        lines = [f"{user},{movie},{rating},{t}" for user, movie, rating, t in MOVIELENS_ROWS]
        text = "userId,movieId,rating,timestamp\n" + "\n".join(lines) + "\n"
        (folder / "ratings.csv").write_text(text)
        movies = (
            'movieId,title,genres\n7,"Sabrina, the (1995)",Comedy\n'
            "31,Niñas (2001\u20132003),Drama\n"
        )
        (folder / "movies.csv").write_text(movies)
    elif dialect in ("1M", "10M"):
        rows = whole if dialect == "1M" else MOVIELENS_ROWS
        lines = [f"{user}::{movie}::{rating}::{t}" for user, movie, rating, t in rows]
        (folder / "ratings.dat").write_text("\n".join(lines) + "\n")
        text = "7::Sabrina, the (1995)::Comedy\n31::Niñas (2001-2003)::Drama\n"
        (folder / "movies.dat").write_text(text, "utf-8" if dialect == "10M" else "iso-8859-1")
        if dialect == "1M":
            (folder / "users.dat").write_text("1::F::1::10::48067\n")
    else:
        lines = [f"{user}\t{movie}\t{rating}\t{t}" for user, movie, rating, t in whole]
        (folder / "u.data").write_text("\n".join(lines) + "\n")
        comedy, drama = ("|".join("01"[n == at] for n in range(19)) for at in (5, 8))
        text = f"7|Sabrina, the (1995)|01-Jan-1995||x|{comedy}\n31|Niñas (2001)|||x|{drama}\n"
        (folder / "u.item").write_text(text, "iso-8859-1")
    return folder
