"""English paradigms, to complete a dictionary that gives each form to one word."""

#: Past tenses and participles that the dictionary gives to another word alone, by verb.
IRREGULAR = {
    "awoken": "awake",
    "bade": "bid",
    "bent": "bend",
    "bit": "bite",
    "bore": "bear",
    "bound": "bind",
    "broke": "break",
    "drunk": "drink",
    "felt": "feel",
    "gone": "go",
    "ground": "grind",
    "left": "leave",
    "rose": "rise",
    "rung": "ring",
    "shook": "shake",
    "shot": "shoot",
    "swore": "swear",
    "thought": "think",
    "won": "win",
    "wound": "wind",
}


#: Forms that are prepositions of nearly every text, by verb.
_APART = {
    "accord": frozenset({"according"}),
    "concern": frozenset({"concerning"}),
    "include": frozenset({"including"}),
    "regard": frozenset({"regarding", "regardless"}),
}


def whole(headword: str, listed: set[str]) -> set[str]:
    """All forms of a headword; one with a listed past tense is a verb and gets its -ing form."""
    pasts = {f"{headword}ed", f"{headword}d"} & listed
    stems = {past[:-2] if past == f"{headword}ed" else headword[:-1] for past in pasts}
    # A letter is doubled in both (`planned`, `planning`).
    stems |= {f"{headword}{headword[-1]}" for _ in {f"{headword}{headword[-1]}ed"} & listed}
    return (listed | {f"{stem}ing" for stem in stems}) - _APART.get(headword, frozenset())


def is_inflected(rest: str, other: str) -> bool:
    """Tells whether two words may be forms of one, that begin alike and then have `rest` and `other`."""
    return rest in _RESTS and other in _RESTS


_RESTS = frozenset({"", "s", "es", "ed", "d", "e", "ing", "y", "ies", "ied", "er", "est"})
