"""French paradigms on folded forms, to complete a dictionary that gives each form to one word.

Such a dictionary gives `ouvert` to the adjective and `signe` to the noun, and leaves the verbs without. Folded, most
of what makes French verbs irregular is gone: accents, cedillas.
"""

from collections.abc import Callable
from functools import cache

#: Verbs by the end of their infinitive, the longest that fits: the participle (or all its forms, and others that a
#: verb may share with another word), the third person singular, then the stems of `nous` and the imperfect, of `ils`,
#: of the future, of the subjunctive; `.` and what is left out follow from the one before, the future from the
#: infinitive. No participle where it folds as a word of every article: that of `partir` as the Party.
_MODELS = """
enir      enu               ient    en      ienn    iendr
cueillir  cueilli           cueille .       .       cueiller
vrir      vert              vre     .       .       .
frir      fert              fre     .       .       .
courir    couru             court   .       .       courr
mourir    mort              meurt   .       meur    mourr
querir    quis              quiert  quer    quier   querr
vetir     vetu              vet     .       .       .
fuir      fui               fuit    fuy     fui     .
ouir      oui               oit     oy      oi      .
mir       mi                t       .       .       .
tir       ti                t       .       .       .
vir       vi                t       .       .       .
partir    -                 part    .       .       .
cevoir    cu                coit    cev     coiv    cevr
devoir    due,dus,dues      doit    dev     doiv    devr
mouvoir   mu                meut    mouv    meuv    mouvr
pouvoir   pu                peut    pouv    peuv    pourr    puiss
vouloir   voulu             veut    voul    veul    voudr    veuill
savoir    su                sait    sav     .       saur     sach
valoir    valu              vaut    val     .       vaudr    vaill
falloir   fallu             faut    fall    .       faudr    faill
voir      vu                voit    voy     voi     verr
prevoir   prevu             prevoit prevoy  prevoi  prevoir
pleuvoir  plu               pleut   pleuv   .       pleuvr
pourvoir  pourvu            pourvoit pourvoy pourvoi pourvoir
seoir     sis               sied    sey     .       sier
choir     chu               choit   choy    choi    cherr
dre       du                d       d       .       dr
prendre   pris              prend   pren    prenn   prendr
indre     int               int     ign     .       indr
soudre    solu,solue,solus,solues,sous sout    solv    .       soudr
coudre    cousu             coud    cous    .       coudr
moudre    moulu             moud    moul    .       moudr
mettre    mis               met     mett    .       mettr
battre    battu             bat     batt    .       battr
rompre    rompu             rompt   romp    .       rompr
vaincre   vaincu            vainc   vainqu  .       vaincr
suivre    suivi             suit    suiv    .       suivr
vivre     vecu              vit     viv     .       vivr
crire     crit              crit    criv    .       crir
lire      lu                lit     lis     .       lir
dire      dit               dit     dis     .       dir
rire      ri                rit     ri      .       rir
uire      uit               uit     uis     .       uir
luire     -                 luit    luis    .       luir
nuire     nui               nuit    nuis    .       nuir
ffire     ffi               ffit    ffis    .       ffir
nfire     nfit              nfit    nfis    .       nfir
faire     fait,faite,faits,faites,font fait fais fais   fer      fass
laire     lu                lait    lais    .       lair
taire     -                 tait    tais    .       tair
traire    trait             trait   tray    trai    trair
croire    cru               croit   croy    croi    croir
boire     bu                boit    buv     boiv    boir
naitre    nee,nes,nees      nait    naiss   .       naitr
connaitre connu             connait connaiss .      connaitr
aitre     u                 ait     aiss    .       aitr
croitre   cru               croit   croiss  .       croitr
clure     clu               clut    clu     .       clur
inclure   inclus            inclut  inclu   .       inclur
occlure   occlus            occlut  occlu   .       occlur
clore     clos              clot    clos    .       clor
"""
#: Verbs of no model; each form is named.
_NAMED = {
    "etre": "est sont suis sommes ete etant etait etaient sera seront serait seraient soit soient fut furent",
    "avoir": "a ont ai avons avez eu eue eus eues ayant avait avaient aura auront aurait auraient ait aient eut eurent",
    "aller": "va vont vais ira iront irait iraient aille aillent alle allee alles allees allait allaient allant",
}
_PLURAL = ("ons", "ez", "ais", "ait", "ions", "iez", "aient")
_FUTURE = ("ai", "as", "a", "ons", "ez", "ont", "ais", "ait", "ions", "iez", "aient")
#: What is taken off a form to find its infinitive.
_ENDINGS = (
    *("e", "ee", "ees", "es", "ent", "ant", "a", "erent"),
    *("i", "ie", "is", "ies", "it", "u", "ue", "us", "ues"),
    *_PLURAL,
)
#: Feminines that the dictionary may have as words of their own. Only these endings: `médecine` and `porte` are none.
_FEMININE = (
    ("teur", "trice"), ("deur", "drice"), ("eur", "euse"), ("eur", "eure"), ("eux", "euse"), ("al", "ale"),
    ("el", "elle"), ("tif", "tive"), ("sif", "sive"), ("ien", "ienne"), ("ais", "aise"), ("ois", "oise"),
)  # fmt: skip
#: Those that are right even where no dictionary has them.
_SAFE = ("trice", "eure")
_REST_ENDINGS = """
e s es x l ux le les f fs ve ves r rs se ses ne nes ns te tes eur eurs rice rices
er ee ees ent ant ez ons a ait aient era eront erait eraient erent ir i ie is ies it issent issait issant ira iront
"""
#: With what forms of one word may end where they begin to differ: number, gender, conjugation. Neither `-ais` nor
#: `-ien`, which make peoples of places.
_RESTS = frozenset(_REST_ENDINGS.split()) | {""}

_SMALL_WORDS = """
au aux avant car ce cependant ces cet cette ceux chez comme contre dans de depuis des devant donc dont du durant
elle elles en entre et eux hors il ils je la le les lors lui ma maintenant mais me mes moi moins ne ni nos notre
nous on or ou outre par parmi pas pendant plus pour pres puis quand que qui quoi sa sans sauf se selon ses si soi
son sous sur ta te tes toi ton tres trop tu un une vers vos votre vous
"""
#: Forms that are words of nearly every text; as forms of another word they would match everywhere. Prepositions,
#: pronouns and the like; of those that inflect only what a noun or a verb could take for its own.
_DROWNED = frozenset(_SMALL_WORDS.split())
#: Forms that a word does not share with a far commoner one, by headword.
_APART = {
    "lao": frozenset({"laos"}),  # the country
    "partir": frozenset({"parti", "partis", "partie", "parties"}),  # the Party, and the parties to everything
    "importer": frozenset({"important"}),
    "etudier": frozenset({"etudiant"}),
    "restaurer": frozenset({"restaurant"}),
    "suivre": frozenset({"suis"}),  # I am
    "motif": frozenset({"motive", "motives"}),
}
#: Shorter words are names and abbreviations as often as nouns: no plural is made for them, and of one no feminine.
_MIN_PLURAL = 4
_MIN_FEMININE = 5


def whole(headword: str, listed: set[str], is_headword: Callable[[str], bool]) -> set[str]:
    """All folded forms of the folded `headword`, of which the dictionary has `listed`.

    A form that is another headword too is the verb's only as participle, third person singular or future (`fait`,
    `visite`, `dirigeant`): `ils président`, `nous relations` and `résultât` are read as the nouns that they fold to.
    """
    if _is_verb(headword, listed):
        forms, doubtful = _conjugate(headword, listed)
        forms |= {form for form in doubtful | listed if not _is_nouns(form, headword, is_headword)}
    else:
        forms = _decline(headword, listed, is_headword)
    return (forms | {headword}) - _DROWNED - _APART.get(headword, frozenset())


def infinitives(form: str) -> set[str]:
    """Possible infinitives of a verb with `form`, by its ending; most are no words."""
    stems = {form.removesuffix(ending) for ending in _ENDINGS} - {form}
    return {stem + ending for stem in stems for ending in ("er", "ir", "re")}


def is_inflected(rest: str, other: str) -> bool:
    """Tells whether two words may be forms of one, that begin alike and then have `rest` and `other`."""
    return rest in _RESTS and other in _RESTS


def _is_verb(headword: str, listed: set[str]) -> bool:
    """Tells whether the headword is an infinitive: some of its imperfect, future or past is listed."""
    if not headword.endswith(("er", "ir", "re")):
        return False
    return f"{headword[:-2]}ait" in listed or any(form.endswith(("aient", "erent", "irent", "rait")) for form in listed)


def _is_nouns(form: str, headword: str, is_headword: Callable[[str], bool]) -> bool:
    """Tells whether a verb's form is another word, or the plural of one in -on."""
    return form != headword and (is_headword(form) or (form.endswith("ons") and is_headword(form[:-1])))


def _decline(headword: str, listed: set[str], is_headword: Callable[[str], bool]) -> set[str]:
    """A noun's or adjective's forms: of those listed, the plural of each feminine and the singular of each plural."""
    forms = listed | {form[:-1] for form in listed if form.endswith("es") and form != headword}
    for masculine, feminine in _FEMININE:
        woman = headword.removesuffix(masculine) + feminine
        known = feminine in _SAFE or is_headword(woman)
        if known and headword.endswith(masculine) and len(headword) >= _MIN_FEMININE:
            forms.add(woman)
    forms |= {f"{form}s" for form in forms if form.endswith("e")}
    if len(headword) >= _MIN_PLURAL and headword[-1] not in "sxz" and not any(form.endswith("x") for form in listed):
        forms.add(f"{headword}s")
    return forms


def _conjugate(infinitive: str, listed: set[str]) -> tuple[set[str], set[str]]:
    """Forms of a verb: those that it may share with another word, and the others. Neither set need be complete."""
    if infinitive in _NAMED:
        return set(_NAMED[infinitive].split()), set()
    if infinitive.endswith("er"):
        return _first_group(infinitive[:-2])
    shared, own = set[str](), set[str]()
    second = not listed.isdisjoint(f"{infinitive[:-1]}{ending}" for ending in ("ssait", "ssaient", "ssons"))
    if second:
        shared, own = _second_group(infinitive[:-1])
    model = next((infinitive[n:] for n in range(len(infinitive)) if infinitive[n:] in _models()), None)
    if model:
        more, others = _third_group(infinitive.removesuffix(model), model)
        # `finir` is of the second group alone, `sortir` of both.
        if not second or f"{infinitive[:-2]}ait" in listed:
            shared, own = shared | more, own | others
    return shared, own


def _first_group(stem: str) -> tuple[set[str], set[str]]:
    """Verbs in -er; `stem` is what stands before it."""
    hard = f"{stem}e" if stem.endswith("g") else stem
    # The accent of `lève` is folded away; `jette` and `appelle` double a letter, `emploie` changes one.
    mute = {stem}
    if stem.endswith(("et", "el")):
        mute.add(stem + stem[-1])
    elif stem.endswith(("oy", "uy", "ay")):
        mute.add(f"{stem[:-1]}i")
    future = {f"{form}er" for form in mute} | ({f"{stem[:-2]}err"} if stem.endswith("nvoy") else set[str]())
    shared = {f"{form}{ending}" for form in mute for ending in ("e", "es")} | {f"{stem}ee", f"{stem}ees", f"{hard}ant"}
    own = {f"{form}ent" for form in mute} | {f"{stem}erent", f"{hard}a", f"{stem}ez", f"{stem}ions", f"{stem}iez"}
    own |= {f"{hard}{ending}" for ending in ("ons", "ais", "aient")}
    return _with_future(shared | {f"{hard}ait"}, own, future)


def _second_group(stem: str) -> tuple[set[str], set[str]]:
    """Verbs in -ir with -iss-; `stem` ends with that i."""
    shared = {stem, f"{stem}e", f"{stem}s", f"{stem}es", f"{stem}t", f"{stem}ssant"}
    own = {f"{stem}ss{ending}" for ending in (*_PLURAL, "ent", "e", "es")} | {f"{stem}rent"}
    return _with_future(shared, own, {f"{stem}r"})


def _third_group(root: str, model: str) -> tuple[set[str], set[str]]:
    """The other verbs: `root` and a key of `_models()`."""
    participle, third, plural, they, future, wish = _models()[model]
    shared = {f"{root}{third}", f"{root}{plural}ait", f"{root}{wish if wish == 'sach' else plural}ant"}
    shared |= {f"{root}{form}" for form in participle.split(",")}
    own = {f"{root}{plural}{ending}" for ending in _PLURAL} | {f"{root}{they}ent"}
    own |= {f"{root}{wish}{ending}" for ending in ("e", "es", "ent")}
    return _with_future(shared, own, {f"{root}{future}"})


def _with_future(shared: set[str], own: set[str], stems: set[str]) -> tuple[set[str], set[str]]:
    """Future and conditional added; `fera` is a verb, whatever fish has that name."""
    own = own | {f"{stem}{ending}" for stem in stems for ending in _FUTURE}
    return shared | {f"{stem}{ending}" for stem in stems for ending in ("a", "ont")}, own


@cache
def _models() -> dict[str, tuple[str, str, str, str, str, str]]:
    """`_MODELS`, each line with all its stems and with its participle's forms."""
    models = {}
    for line in _MODELS.strip().splitlines():
        model, participle, third, *stems = line.split()
        base = model[: -3 if model.endswith("oir") else -2]
        plural, they, future, wish = [*stems, *["."] * (4 - len(stems))]
        plural = base if plural == "." else plural
        they = plural if they == "." else they
        future = model.removesuffix("e") if future == "." else future
        participles = "" if participle == "-" else participle
        if participles and "," not in participles:
            endings = ("", "e", "es") if participles.endswith("s") else ("", "e", "s", "es")
            participles = ",".join(participles + ending for ending in endings)
        models[model] = (participles or third, third, plural, they, future, they if wish == "." else wish)
    return models
