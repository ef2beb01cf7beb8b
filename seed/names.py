"""Norwegian people, companies and places for the demo company; all invented, e-mail addresses lead nowhere.

Everything is drawn from a numpy Generator. Organisation numbers are valid (weights 3 2 7 6 5 4 3 2, modulus 11).
"""

from __future__ import annotations

import numpy as np
from stdnum.de import vat as german_vat
from stdnum.se import orgnr as swedish_orgnr

Texts = list[str]
GIVEN = (  # noqa: SIM905
    "Anne Inger Kari Marit Ingrid Liv Eva Åse Berit Astrid Bjørg Hilde Anna Solveig Marianne Randi Ida Nina Maria "
    "Elisabeth Kristin Bente Heidi Silje Hanne Linda Tone Gerd Anita Tove Wenche Ragnhild Camilla Ellen Karin "
    "Hege Ann Julie Mona Marie Aud Kristine Else Laila Turid Stine Mette Sissel Emma Mari Nora Lene Vilde Tuva "
    "Thea Jorunn Oddny Jan Per Bjørn Ole Lars Kjell Knut Svein Arne Thomas Hans Geir Morten Tor Martin Terje Odd "
    "Erik John Anders Rune Trond Tore Harald Gunnar Jon Andreas Kristian Helge Magnus Jonas Nils Leif Einar "
    "Henrik Marius Fredrik Håkon Øyvind Øystein Sigurd Åge Stian Espen Roar Frode Vidar Eirik Pål Dag Sindre "
    "Håvard Kåre Sæmund Jørgen Torbjørn Åsmund"
).split()
FAMILY = (  # noqa: SIM905
    "Hansen Johansen Olsen Larsen Andersen Pedersen Nilsen Kristiansen Jensen Karlsen Johnsen Pettersen Eriksen "
    "Berg Haugen Hagen Johannessen Andreassen Jacobsen Dahl Jørgensen Henriksen Lund Halvorsen Sørensen Jakobsen "
    "Moen Gundersen Iversen Strand Solberg Svendsen Eide Knutsen Martinsen Paulsen Bakken Kristoffersen Mathisen "
    "Lie Amundsen Nguyen Rasmussen Ali Lunde Solheim Berge Moe Nygård Bakke Holm Myhre Sæther Bøe Ødegård Åsen "
    "Østby Aasen Sæbø Røed Lærdal Nordås Hegdahl Brønstad Fjære Kåsa Skjæveland Tønnessen Øverland Ånestad Grønli "
    "Hjelle Vågen Bråten"
).split()
PLACES = [
    ("0150", "Oslo"), ("0350", "Oslo"), ("0560", "Oslo"), ("1366", "Lysaker"), ("1406", "Ski"), ("1530", "Moss"),
    ("1607", "Fredrikstad"), ("1706", "Sarpsborg"), ("1771", "Halden"), ("2000", "Lillestrøm"), ("2211", "Kongsvinger"),
    ("2317", "Hamar"), ("2406", "Elverum"), ("2609", "Lillehammer"), ("2815", "Gjøvik"), ("3015", "Drammen"),
    ("3110", "Tønsberg"), ("3208", "Sandefjord"), ("3256", "Larvik"), ("3510", "Hønefoss"), ("3616", "Kongsberg"),
    ("3717", "Skien"), ("3921", "Porsgrunn"), ("4006", "Stavanger"), ("4307", "Sandnes"), ("4515", "Mandal"),
    ("4612", "Kristiansand"), ("4836", "Arendal"), ("5003", "Bergen"), ("5160", "Laksevåg"), ("5411", "Stord"),
    ("5525", "Haugesund"), ("5704", "Voss"), ("6002", "Ålesund"), ("6413", "Molde"), ("6509", "Kristiansund"),
    ("6800", "Førde"), ("6900", "Florø"), ("7010", "Trondheim"), ("7500", "Stjørdal"), ("7713", "Steinkjer"),
    ("7800", "Namsos"), ("8006", "Bodø"), ("8305", "Svolvær"), ("8514", "Narvik"), ("8622", "Mo i Rana"),
    ("8656", "Mosjøen"), ("9008", "Tromsø"), ("9406", "Harstad"), ("9510", "Alta"), ("9600", "Hammerfest"),
    ("9800", "Vadsø"), ("9900", "Kirkenes"), ("9950", "Vardø"),
]  # fmt: skip
STREETS = (  # noqa: SIM905
    "Storgata Kirkegata Skolegata Sjøgata Strandgata Fjordveien Bjørkeveien Granveien Åsveien Solbakken "
    "Fjellveien Havnegata Nygata Langgata Elvegata Rådhusgata Lyngveien Tærudveien Brønnveien Måsvegen Skogveien "
    "Kongensgate"
).split()
FIRMS = (  # noqa: SIM905
    "Nordlys Fjord Bølgen Skjærgård Havgløtt Fjellrev Polar Ishavs Midnattsol Vidde Bre Furu Lyng Ørn Ærfugl Sølv "
    "Kobber Skåren Åsgård Brattås Løvås Tind Varde Måse Torsk Sel Trå Nøst Sjø Myr Grønn Blå Høyland Vestre Østre "
    "Nye"
).split()
TRADES = (  # noqa: SIM905
    "Regnskap Bygg Elektro Rør Bakeri Frisør Tannklinikk Reiser Transport Sjømat Design Arkitekter Advokat Bil "
    "Møbler Blomster Bokhandel Renhold Eiendom Konsult Trykk Kafé Verksted Gård Apotek Optikk Foto Musikk Idrett "
    "Skole"
).split()
WEIGHTS = np.array([3, 2, 7, 6, 5, 4, 3, 2])


def people(rng: np.random.Generator, count: int) -> Texts:
    """Names of people, some with two given names."""
    first, second, last = rng.choice(GIVEN, count), rng.choice(GIVEN, count), rng.choice(FAMILY, count)
    double = rng.random(count) < 0.15
    return [f"{a} {b} {c}" if two else f"{a} {c}" for a, b, c, two in zip(first, second, last, double, strict=True)]


def firms(rng: np.random.Generator, count: int, ending: str = "AS") -> Texts:
    """Names of companies."""
    first, trade, person = rng.choice(FIRMS, count), rng.choice(TRADES, count), rng.choice(FAMILY, count)
    own = rng.random(count) < 0.3
    return [f"{p} & Sønn {t} {ending}" if mine else f"{f} {t} {ending}"
            for f, t, p, mine in zip(first, trade, person, own, strict=True)]  # fmt: skip


def places(rng: np.random.Generator, count: int) -> tuple[Texts, Texts, Texts]:
    """Street addresses with postal codes and towns."""
    at = rng.integers(0, len(PLACES), count)
    street, number = rng.choice(STREETS, count), rng.integers(1, 140, count)
    addresses = [f"{name} {house}" for name, house in zip(street, number, strict=True)]
    return addresses, [PLACES[i][0] for i in at], [PLACES[i][1] for i in at]


def emails(names: Texts, keys: Texts) -> Texts:
    """An address for each name; the key keeps them apart."""
    table = str.maketrans({"æ": "ae", "ø": "o", "å": "a", "ü": "u", "é": "e", " ": ".", "&": "og"})
    return [
        f"{name.lower().translate(table)}.{key.lower()}@post.example" for name, key in zip(names, keys, strict=True)
    ]


def phones(rng: np.random.Generator, count: int) -> Texts:
    """Numbers of a series that is not given to people."""
    digits = rng.integers(0, 10**6, count)
    return [f"+47 00 {value // 10**4:02d} {value // 100 % 100:02d} {value % 100:02d}" for value in digits]


def organisation_numbers(first: int, count: int) -> Texts:
    """`count` valid Norwegian organisation numbers, a different run for every `first`."""
    stems = np.arange(first, first + 2 * count + 10) % 10**7 + 90_000_000
    digits = stems[:, None] // 10 ** np.arange(7, -1, -1) % 10
    check = (11 - digits @ WEIGHTS % 11) % 11
    whole = [f"{stem}{last}" for stem, last in zip(stems, check, strict=True) if last < 10]
    return whole[:count]


def swedish_vat(number: int) -> str:
    """A valid Swedish VAT number."""
    stem = f"556{number % 10**6:06d}"
    return next(f"SE{stem}{last}01" for last in "0123456789" if swedish_orgnr.is_valid(stem + last))


def german_vat_number(number: int) -> str:
    """A valid German VAT number."""
    stem = f"1{number % 10**7:07d}"
    return next(f"DE{stem}{last}" for last in "0123456789" if german_vat.is_valid(stem + last))
