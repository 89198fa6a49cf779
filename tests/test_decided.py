"""The answers to whole corpora are those that are stored: articles, copies, stories, matches and obligations."""

import json
from pathlib import Path

import pytest
from decided import CORPORA, STORED, decide
from rig import SHARED


@pytest.mark.parametrize("name", ["sample", "generated-200", "watch", pytest.param("copies", marks=pytest.mark.soak)])
def test_a_corpus_is_decided_as_before(tmp_path: Path, name: str) -> None:
    """Each kind of answer; `python tests/decided.py NAME --keep FOLDER` writes them out, to see which one differs."""
    if name in ("watch", "copies") and not SHARED.is_dir():
        pytest.skip("the shared data is not here")
    assert name == "sample" or name in CORPORA
    assert decide(name, tmp_path) == json.loads(STORED.read_text(encoding="utf-8"))[name]
