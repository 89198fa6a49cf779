"""Words of French and English that write numbers and dates, folded, and those that no name consists of."""

_CALENDAR = {
    "Monday": "lundi monday",
    "Tuesday": "mardi tuesday",
    "Wednesday": "mercredi wednesday",
    "Thursday": "jeudi thursday",
    "Friday": "vendredi friday",
    "Saturday": "samedi saturday",
    "Sunday": "dimanche sunday",
    "January": "janvier january jan",
    "February": "fevrier february feb fevr",
    "March": "mars march",
    "April": "avril april",
    # English "may" is far oftener a verb.
    "May": "mai",
    "June": "juin june",
    "July": "juillet july juil",
    "August": "aout august aug",
    "September": "septembre september",
    "October": "octobre october oct",
    "November": "novembre november nov",
    "December": "decembre december dec",
}

DAYS = frozenset(list(_CALENDAR)[:7])
MONTHS = frozenset(list(_CALENDAR)[7:])
#: Folded words to the day or month they name; the capital keeps it apart from folded words.
CALENDAR = {word: name for name, words in _CALENDAR.items() for word in words.split()}

_CARDINALS = {
    2: "deux two",
    3: "trois three",
    4: "quatre four",
    5: "cinq five",
    6: "six",
    7: "sept seven",
    8: "huit eight huitaine",
    9: "neuf nine",
    10: "dix ten dizaine",
    11: "onze eleven",
    12: "douze twelve douzaine dozen",
    13: "treize thirteen",
    14: "quatorze fourteen",
    15: "quinze fifteen quinzaine",
    16: "seize sixteen",
    17: "seventeen",
    18: "eighteen",
    19: "nineteen",
    20: "vingt vingts twenty vingtaine",
    30: "trente thirty trentaine",
    40: "quarante forty quarantaine",
    50: "cinquante fifty cinquantaine",
    60: "soixante sixty soixantaine",
    70: "septante seventy",
    80: "octante huitante eighty",
    90: "nonante ninety",
    100: "cent cents hundred hundreds centaine centaines",
    1000: "mille thousand thousands millier milliers",
    1_000_000: "million millions",
    1_000_000_000: "milliard milliards billion billions",
}
_ORDINALS = {
    1: "premier premiere first",
    2: "deuxieme",
    3: "troisieme third",
    4: "quatrieme fourth",
    5: "cinquieme fifth",
    6: "sixieme sixth",
    7: "septieme seventh",
    8: "huitieme eighth",
    9: "neuvieme ninth",
    10: "dixieme tenth",
    11: "onzieme eleventh",
    12: "douzieme twelfth",
    13: "treizieme thirteenth",
    14: "quatorzieme fourteenth",
    15: "quinzieme fifteenth",
    16: "seizieme sixteenth",
    20: "vingtieme twentieth",
    30: "trentieme thirtieth",
    40: "quarantieme fortieth",
    50: "cinquantieme fiftieth",
    60: "soixantieme sixtieth",
    100: "centieme hundredth",
}

#: Words to the number they write; `un`, `one`, `second` are left out: oftener articles, pronouns and time.
NUMBERS = {
    word: number for table in (_CARDINALS, _ORDINALS) for number, words in table.items() for word in words.split()
}

#: Articles, prepositions, pronouns, forms of address: no names of their own, even when written with a capital.
PLAIN = frozenset(
    """
    a afin ainsi alors apres au aucun aujourd hui aujourdhui aussi autre autres aux avant avec c ce cela celle
    celui ces cet cette ceux chaque chez ci comme comment concernant contre d dans de depuis des dont du durant elle
    elles en enfin ensuite entre est et etait face il ils j jusqu l la le lequel les leur leurs lors lorsqu lorsque m
    mais malgre meme mme monsieur madame n ne ni nos notre nous on or ou par parmi pendant plus plusieurs pour pourtant
    pres puis quand que quel quelle quelque quelques qui qu s sa sans se selon ses si sinon son sous sur t tandis tous
    tout toute toutefois toutes un une vers voici voila vos votre vous y
    about after all also although an and any are as at be because been before both but by during each for from had has
    have he her his how i in into is it its later mr mrs ms new no not of on one only other our over she since so some
    such than that the their them then there these they this those through to under until was we were what when where
    which while who will with would you
    """.split()  # noqa: SIM905 - a list of these words would fill a screen
)

#: Agencies, whose initials change from outlet to outlet.
AGENCIES = frozenset(["afp", "akp", "ap", "avi", "cvn", "kpl", "reuters", "tass", "upi", "vna", "vnp", "vov", "xinhua"])
