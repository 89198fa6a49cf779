"""Stores of earlier versions become stores of this one, with all that they know."""

from importlib import resources

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from stored import NOW, mark

from worker.store import articles, open_store, upkeep
from worker.store.articles import forget_bands

TEXT = (
    "Le pont de la rivière Sékong a été ouvert mardi à la circulation par le gouverneur de la province d'Attapeu. "
    "Long de quatre cents mètres, il remplace un bac que la crue emportait chaque année et que les villages espéraient."
)


def made_by(url: str, version: str) -> sa.Engine:
    """A store as the Veille of that schema left it."""
    engine = sa.create_engine(url)
    config = Config()
    with resources.as_file(resources.files("worker.store") / "migrations") as folder, engine.begin() as tx:
        config.set_main_option("script_location", str(folder))
        config.attributes["connection"] = tx
        command.upgrade(config, version)
    return engine


def test_bands_of_before_are_keys_now(store_url: str) -> None:
    """What was stored with bands of 64 bits is found by a longer text, and leaves none behind when it goes."""
    fingerprint = mark(TEXT)
    moment = "2026-02-01 00:00:00.000000+00:00"
    old = made_by(store_url, "0008")
    with old.begin() as tx:
        for number, bands in ((1, fingerprint.bands), (2, ())):
            tx.execute(
                sa.text(
                    "INSERT INTO article (id, origin, name, url, link, source, language, title, published, precision, "
                    "first_seen, novelty, score, why, revision) VALUES (:id, 'feed', '', '', '', 'A', 'fr', 'Le pont', "
                    ":now, '', :now, 'new', 0, '', 1)"
                ),
                {"id": number, "now": moment},
            )
            for revision in (0, 1):
                tx.execute(
                    sa.text(
                        "INSERT INTO fingerprint (article_id, revision, scheme, digest, shingles, facts, words) "
                        "VALUES (:id, :revision, 1, :digest, :shingles, :facts, :words)"
                    ),
                    {
                        "id": number,
                        "revision": revision,
                        "digest": f"{number}{revision}",
                        "shingles": fingerprint.shingles,
                        "facts": fingerprint.facts,
                        "words": fingerprint.words,
                    },
                )
            for band in bands:
                tx.execute(sa.text("INSERT INTO band (value, article_id) VALUES (:v, :a)"), {"v": band, "a": number})
    old.dispose()
    store = open_store(store_url, create=True)
    with store.read() as tx:
        longer = mark(f"Nos correspondants rapportent plusieurs nouvelles. {TEXT} La suite demain.")
        assert {found.article_id for found in articles.candidates(tx, longer, url="", but=None)} == {1}
        assert tx.execute(sa.text("SELECT count(*) FROM band")).scalar() == len(fingerprint.bands)
    with store.write() as tx:
        forget_bands(tx, [1, 2])
        assert tx.execute(sa.text("SELECT count(*) FROM band")).scalar() == 0
    store.close()


def test_every_schema_leads_to_this_one(store_url: str) -> None:
    """One after another, and the store can be written to."""
    made_by(store_url, "0001").dispose()
    store = open_store(store_url, create=True)
    with store.write() as tx:
        upkeep.beat(tx, upkeep.Heartbeat(owner="a", host="h", pid=1, started=NOW, tick=NOW))
    store.close()
