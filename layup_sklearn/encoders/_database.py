"""The SQLite database of a cache of features."""

import sqlite3


def connect(path):
    """With the table of the features."""
    database = sqlite3.connect(path, timeout=60, check_same_thread=False)
    with database:
        database.execute(
            "CREATE TABLE IF NOT EXISTS features (key BLOB PRIMARY KEY, entry BLOB NOT NULL)"
        )
    return database


def open_database(path):
    """Connected to a file that can be read."""
    try:
        database = connect(path)
        database.execute("SELECT key, entry FROM features LIMIT 1").fetchall()
    except sqlite3.OperationalError as error:
        raise OSError(f"The feature cache {path!r} cannot be opened: {error}.") from error
    return database


def _one(database, query):
    return database.execute(query).fetchone()[0]


def count(database):
    """Of the entries."""
    return _one(database, "SELECT count(*) FROM features")


def bytes_in_use(database):
    """Of all pages with content."""
    pages = _one(database, "PRAGMA page_count") - _one(database, "PRAGMA freelist_count")
    return pages * _one(database, "PRAGMA page_size")
