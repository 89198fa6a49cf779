"""The names of months and days in `worker/feeds/parse/dates/names.txt`, from Unicode's CLDR by way of Babel.

`python tests/datenames.py > worker/feeds/parse/dates/names.txt` makes the file again. A table that is kept spares each
process that parses feeds a third of a second, which loading thirty languages takes.
"""

from collections import defaultdict

from babel import Locale

from worker.feeds.parse.dates.names import folded

#: The languages of feeds that write dates in words, those of the Mekong and of its readers first.
LANGUAGES = (
    *("en", "fr", "vi", "it", "de", "es", "pt", "km", "lo", "th", "zh", "ja", "ko", "id", "ms", "my", "nl"),
    *("ru", "uk", "pl", "cs", "sk", "ro", "hu", "el", "sv", "da", "nb", "fi", "tr", "ca", "fil", "bg"),
)
#: What publishers write and CLDR does not have.
MONTHS = {
    1: "jan janv jenner janner",
    2: "feb febr fev fevr feber កុម្ភះ",
    3: "mar marz maerz mrz marc",
    4: "apr avr abr",
    5: "may mai mei",
    6: "jun juin",
    7: "jul juil juill",
    8: "aug aou ago agt",
    9: "sep sept set sett setiembre septiembre",
    10: "oct okt",
    11: "nov",
    12: "dec dez dic desember",
}
DAYS = {1: "tue tues", 2: "wed weds", 3: "thu thur thurs", 6: "cn"}


def table() -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """Month (1 to 12) -> its names, and day (0 is Monday) -> its names; a word for two months is left out."""
    months: defaultdict[str, set[int]] = defaultdict(set)
    days: defaultdict[str, set[int]] = defaultdict(set)
    for language in LANGUAGES:
        locale = Locale.parse(language)
        for names, found in ((locale.months, months), (locale.days, days)):
            for context in ("format", "stand-alone"):
                for width in ("wide", "abbreviated"):
                    # Where a language has no names of its own, Babel hands out those of the language it loaded last.
                    if width not in locale._data["months" if names is locale.months else "days"].get(context, {}):
                        continue
                    for number, name in names[context][width].items():
                        found[folded(name)].add(number)
    for extra, found in ((MONTHS, months), (DAYS, days)):
        for number, words in extra.items():
            for word in words.split():
                found[folded(word)].add(number)
    return _by_number(months, range(1, 13)), _by_number(days, range(7))


def _by_number(found: dict[str, set[int]], numbers: range) -> dict[int, list[str]]:
    words = {word: next(iter(numbers)) for word, numbers in found.items() if len(numbers) == 1 and _is_word(word)}
    return {number: sorted(word for word, its in words.items() if its == number) for number in numbers}


def _is_word(word: str) -> bool:
    return len(word) > 1 and not any(letter.isdigit() or letter in " -'’ʼ" for letter in word)


def page() -> str:
    """The whole file."""
    months, days = table()
    lines = [f"month {number} {' '.join(words)}" for number, words in months.items()]
    return "\n".join([*lines, *(f"day {number} {' '.join(words)}" for number, words in days.items()), ""])


if __name__ == "__main__":
    print(page(), end="")
