"""Countries and cities by their names and demonyms in French and English, folded: one key in both languages."""

#: Key, then names and demonyms; words in a row with a space.
_PLACES = """
VN vietnam|viet nam|vietnamien|vietnamienne|vietnamiens|vietnamiennes|vietnamese
KH cambodge|cambodia|cambodgien|cambodgienne|cambodgiens|cambodgiennes|cambodian|cambodians|khmer|khmere|khmers|khmeres
LA laos|lao|laotien|laotienne|laotiens|laotiennes|laotian|laotians
TH thailande|thailand|thailandais|thailandaise|thailandaises|thai|thais
CN chine|china|chinois|chinoise|chinoises|chinese
MM birmanie|myanmar|birman|birmane|birmans|birmanes|burma|burmese
MY malaisie|malaysia|malaisien|malaisienne|malaisiens|malaisiennes|malaysian|malaysians
ID indonesie|indonesia|indonesien|indonesienne|indonesiens|indonesiennes|indonesian|indonesians
PH philippines|philippin|philippine|philippins|filipino|filipinos
SG singapour|singapore|singapourien|singapourienne|singaporean|singaporeans
BN brunei
TL timor oriental|timor leste|east timor
JP japon|japan|japonais|japonaise|japonaises|japanese
KR coree du sud|south korea|sud coreen|sud coreenne|sud coreens|south korean
KP coree du nord|north korea|nord coreen|nord coreenne|nord coreens|north korean
IN inde|india|indien|indienne|indiens|indiennes|indian|indians
PK pakistan|pakistanais|pakistanaise|pakistani
BD bangladesh
NP nepal
LK sri lanka
AF afghanistan|afghan|afghane|afghans|afghanes
TW taiwan|taiwanais|taiwanaise|taiwanese
MN mongolie|mongolia
AU australie|australia|australien|australienne|australiens|australian|australians
NZ nouvelle zelande|new zealand
US etats unis|united states|usa|americain|americaine|americains|americaines|american|americans
CA canada|canadien|canadienne|canadiens|canadian|canadians
MX mexique|mexico|mexicain|mexicaine|mexican
BR bresil|brazil|bresilien|bresilienne|brazilian
CU cuba|cubain|cubaine|cubains|cuban
VE venezuela|venezuelien|venezuelienne|venezuelan
RU russie|russia|russe|russes|russian|russians
UA ukraine|ukrainien|ukrainienne|ukrainiens|ukrainian|ukrainians
FR france|francais|francaise|francaises|french
GB royaume uni|united kingdom|grande bretagne|britain|great britain|britannique|britanniques|british
DE allemagne|germany|allemand|allemande|allemands|german|germans
IT italie|italy|italien|italienne|italiens|italian|italians
ES espagne|spain|espagnol|espagnole|espagnols|spanish
PT portugal|portugais|portugaise|portuguese
BE belgique|belgium|belge|belges|belgian
NL pays bas|netherlands|neerlandais|neerlandaise|dutch
CH suisse|switzerland|swiss
SE suede|sweden|suedois|suedoise|swedish
NO norvege|norway|norvegien|norvegienne|norwegian
FI finlande|finland|finlandais|finlandaise|finnish
PL pologne|poland|polonais|polonaise|polish
HU hongrie|hungary|hongrois|hongroise|hungarian
GR grece|greece|grec|grecque|greek
TR turquie|turkey|turc|turque|turcs|turkish
IL israel|israelien|israelienne|israeliens|israeli|israelis
PS palestine|palestinien|palestinienne|palestiniens|palestinian|palestinians
IR iran|iranien|iranienne|iraniens|iranian|iranians
IQ irak|iraq|irakien|irakienne|iraqi
SY syrie|syria|syrien|syrienne|syriens|syrian|syrians
SA arabie saoudite|saudi arabia|saoudien|saoudienne|saudi
EG egypte|egypt|egyptien|egyptienne|egyptian
DZ algerie|algeria|algerien|algerienne|algerian
MA maroc|morocco|marocain|marocaine|moroccan
TN tunisie|tunisia|tunisien|tunisienne|tunisian
ZA afrique du sud|south africa|sud africain|sud africaine|south african
EU union europeenne|european union|ue|eu|europeen|europeenne|europeens|european
ASEAN asean|anase
UN onu|nations unies|united nations
hanoi hanoi|ha noi
phnompenh phnom penh|phnompenh
vientiane vientiane
bangkok bangkok
beijing pekin|beijing
moscow moscou|moscow
paris paris
london londres|london
washington washington
tokyo tokyo
seoul seoul
geneva geneve|geneva
brussels bruxelles|brussels
manila manille|manila
jakarta jakarta
kualalumpur kuala lumpur
naypyidaw naypyidaw|naypyitaw
newdelhi new delhi
canberra canberra
berlin berlin
rome rome
madrid madrid
kyiv kiev|kyiv
tehran teheran|tehran
newyork new york
yangon rangoun|yangon
saigon ho chi minh ville|ho chi minh city|hcmv|hcmc|saigon
mekong mekong
"""

#: Keys of capitals and seats of organisations: news of every kind is datelined there.
CAPITALS = frozenset(
    """
    hanoi phnompenh vientiane bangkok beijing moscow paris london washington tokyo seoul geneva brussels manila jakarta
    kualalumpur naypyidaw newdelhi canberra berlin rome madrid kyiv tehran newyork
    """.split()  # noqa: SIM905 - a list of these words would fill a screen
)
#: Folded words in a row -> key. The longest has three words.
PLACES: dict[tuple[str, ...], str] = {
    tuple(name.split()): line.split(" ", 1)[0]
    for line in _PLACES.strip().splitlines()
    for name in line.split(" ", 1)[1].split("|")
}
LONGEST = 4
#: The first words of all of them: most words of a text begin none.
FIRST = frozenset(words[0] for words in PLACES)


# Offices, bodies and forms of address in French and English, folded: shared by many events, particular to none.


#: Who holds what, and who sits where. They are no part of a name, even when written with a capital.
OFFICES = frozenset(
    """
    ambassade ambassadeur ambassadrice assemblee cabinet chancelier chef cheffe colonel comite commandant commissaire
    commission conseil conseiller conseillere coordinateur copresident delegation delegue depute deputee deputes
    dirigeant dirigeante dirigeants directeur directrice general generale generaux gouvernement gouverneur gouverneure
    haut haute lieutenant maire major marechal membre membres ministere ministeres ministre ministres parlement
    parlementaire parlementaires parti permanent porte parole politburo premier premiere presidence president presidente
    presidents prince princesse procureur reine representant representante republique roi royaume secretaire secretariat
    senat senateur senatrice sous souverain souveraine tribunal vice
    ambassador assembly chairman chairperson chairwoman chief commander commissioner committee congress council
    court delegate delegates department deputy director embassy government governor head king kingdom leader leaders
    mayor member members minister ministers ministry national official officials parliament party president prime
    princess prosecutor queen representative republic secretary senate senator senior spokesman spokesperson
    spokeswoman state
    """.split()  # noqa: SIM905 - a list of these words would fill a screen
)
#: Forms of address and honours that stand before a name and are no part of it.
HONOURS = frozenset(
    """
    akka camarade chumteav comrade dr excellence madame mme moha monsieur mr mrs ms oknha padei preah
    professeur professor samdech sdech sena sir techo
    """.split()  # noqa: SIM905 - a list of these words would fill a screen
)
