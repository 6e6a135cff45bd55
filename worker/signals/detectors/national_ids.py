"""Numbers that states give to people, told apart by length, shape, check digits and the words around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import re2

from worker.signals import checksums as check
from worker.signals.detection import MAX_SPANS, cut_from_run, has_near
from worker.signals.view import Hit

NATIONAL_ID = "number.national-id"
MEANINGS = {NATIONAL_ID: "A national identity, tax or social security number is given."}


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of number.

    `shape` is how it is written: `9` any digit, `a` a letter, `*` either, other characters stand for
    themselves; several spellings are separated by a space. `named`, `shaped` and `bare` are the trust
    with a keyword near, without one but written in a telling shape, and without both.
    """

    title: str
    shapes: tuple[str, ...]
    valid: Callable[[str], bool]
    words: tuple[str, ...]
    named: float = 0.95
    shaped: float = 0.4
    bare: float = 0.2


_GENERIC = (
    "national id",
    "id number",
    "identity number",
    "identity card",
    "id card",
    "national insurance",
    "tax id",
    "citizen id",
)
_KINDS = (
    _Kind("US social security number", ("999-99-9999", "999 99 9999", "999999999"), check.is_us_ssn,
          ("ssn", "social", "social security", "ss", "soc", "socials"), shaped=0.6, bare=0.05),
    _Kind("UK national insurance number", ("aa 99 99 99 a", "aa999999a", "aa-99-99-99-a"), check.is_gb_nino,
          ("nino", "ni number", "ni", "national insurance", "insurance number"), shaped=0.75, bare=0.6),
    _Kind("Canadian social insurance number", ("999-999-999", "999 999 999", "999999999"), check.is_ca_sin,
          ("sin", "sin number", "social insurance", "nas"), shaped=0.35, bare=0.05),
    _Kind("German tax id", ("99 999 999 999", "99999999999"), check.is_de_steuer_id,
          ("steuer id", "steuerid", "steuernummer", "steuer", "idnr", "identifikationsnummer", "tin", "tax id"), shaped=0.5),
    _Kind("French social security number", ("9 99 99 99 999 999 99", "9 99 99 99 999 999|99", "999999999999999",
          "9 99 99 9a 999 999 99", "99999 9a 999 999 99", "999999a99999999"), check.is_fr_nir,
          ("nir", "insee", "securite sociale", "s\u00e9curit\u00e9 sociale", "secu", "numero de secu", "vitale"), shaped=0.95, bare=0.7),
    _Kind("Spanish DNI", ("99999999a", "99999999-a", "99.999.999-a", "99 999 999 a", "99999999 a"), check.is_es_dni_nie,
          ("dni", "nif", "documento", "identidad", "carnet"), shaped=0.6, bare=0.5),
    _Kind("Spanish NIE", ("a9999999a", "a-9999999-a", "a9999999-a"), check.is_es_dni_nie, ("nie", "dni", "extranjero"), shaped=0.6, bare=0.5),
    _Kind("Italian codice fiscale", ("aaaaaa99a99a999a", "aaa aaa 99a99 a999a"), check.is_it_codice_fiscale,
          ("codice fiscale", "cf", "fiscale"), shaped=0.95, bare=0.95),
    _Kind("Dutch citizen service number", ("999999999", "9999.99.999"), check.is_nl_bsn, ("bsn", "burgerservicenummer", "sofinummer"), bare=0.05),
    _Kind("Belgian national number", ("99.99.99-999.99", "99999999999"), check.is_be_nrn,
          ("rijksregisternummer", "nrn", "registre national", "niss", "insz", "national number"), shaped=0.9),
    _Kind("Polish PESEL", ("99999999999",), check.is_pl_pesel, ("pesel",), bare=0.3),
    _Kind("Swedish personal number", ("999999-9999", "99999999-9999", "999999+9999", "999999999999", "9999999999"),
          check.is_se_personnummer, ("personnummer", "pnr", "personal number", "personnr"), shaped=0.65, bare=0.1),
    _Kind("Danish CPR number", ("999999-9999", "9999999999"), check.is_dk_cpr, ("cpr", "cpr nummer", "personnummer", "cprnr"), shaped=0.3, bare=0.0),
    _Kind("Finnish personal code", ("999999-999*", "999999a999*", "999999+999*"), check.is_fi_hetu, ("hetu", "henkil\u00f6tunnus", "sotu"), shaped=0.8),
    _Kind("Norwegian birth number", ("999999 99999", "99999999999"), check.is_no_fodselsnummer,
          ("f\u00f8dselsnummer", "fodselsnummer", "personnummer", "fnr"), shaped=0.7, bare=0.45),
    _Kind("Portuguese tax number", ("999999999", "999 999 999"), check.is_pt_nif, ("nif", "contribuinte"), shaped=0.1, bare=0.05),
    _Kind("Indian Aadhaar number", ("9999 9999 9999", "9999-9999-9999", "999999999999"), check.is_in_aadhaar,
          ("aadhaar", "aadhar", "adhaar", "adhar", "uid", "uidai"), shaped=0.55, bare=0.1),
    _Kind("Indian PAN", ("aaaaa9999a",), check.is_in_pan, ("pan", "pan card", "pan number", "pancard"), bare=0.6),
    _Kind("Brazilian CPF", ("999.999.999-99", "99999999999"), check.is_br_cpf, ("cpf",), shaped=0.9, bare=0.3),
    _Kind("Brazilian CNPJ (company)", ("99.999.999/9999-99",), check.is_br_cnpj, ("cnpj",), named=0.3, shaped=0.3),
    _Kind("Chinese resident id", ("999999999999999999", "99999999999999999x"), check.is_cn_resident,
          ("shenfenzheng", "resident id", "\u8eab\u4efd\u8bc1"), named=0.98, shaped=0.85, bare=0.85),
    _Kind("South Korean resident number", ("999999-9999999", "9999999999999"), check.is_kr_rrn, ("rrn", "jumin", "resident registration"), shaped=0.8, bare=0.2),
    _Kind("Japanese My Number", ("9999 9999 9999", "9999-9999-9999", "999999999999"), check.is_jp_my_number,
          ("my number", "mynumber", "individual number", "\u30de\u30a4\u30ca\u30f3\u30d0\u30fc"), shaped=0.3, bare=0.1),
    _Kind("Australian tax file number", ("999 999 999", "999-999-999", "999999999"), check.is_au_tfn, ("tfn", "tax file number", "tax file"), shaped=0.3, bare=0.05),
    _Kind("South African id number", ("9999999999999", "999999 9999 999", "999999 9999 99 9"), check.is_za_id,
          ("sa id", "id number", "south african id", "id no", "id"), shaped=0.7, bare=0.55),
    _Kind("Turkish identity number", ("99999999999",), check.is_tr_id, ("tc kimlik", "tckn", "kimlik", "tc", "tc no"), bare=0.3),
    _Kind("Singapore NRIC", ("a9999999a",), check.is_sg_nric, ("nric", "fin", "ic", "ic number", "identity card"), bare=0.75),
    _Kind("Mexican CURP", ("aaaa999999aaaaaa99", "aaaa999999aaaaaaa9"), check.is_mx_curp, ("curp",), named=0.98, shaped=0.95, bare=0.95),
    _Kind("German identity card", ("*********9",), check.is_de_id_card, ("personalausweis", "ausweis", "ausweisnummer", "perso", "reisepass"), bare=0.0),
)  # fmt: skip

_DIGIT_RUN = r"\b\d(?:[ ./|+\-]?\d){8,17}(?:[ \-]?[a-z])?\b"
_LETTERED = (
    r"\b[a-z]{2}[ \-]?\d{2}[ \-]?\d{2}[ \-]?\d{2}[ \-]?[a-d]\b",
    r"\b(?:\d{8}|\d{2}[. ]\d{3}[. ]\d{3})[ \-]?[a-z]\b",
    r"\b[xyzstfgm]-?\d{7}-?[a-z]\b",
    r"\b[a-z]{3}p[a-z]\d{4}[a-z]\b",
    r"\b[a-z]{3} ?[a-z]{3} ?\d{2}[a-ehlmprst]\d{2} ?[a-z]\d{3}[a-z]\b",
    r"\b[a-z]{4}\d{6}[hmx][a-z]{5}[a-z0-9]\d\b",
    r"\b\d{6}[\-+a-fu-y]\d{3}[0-9a-y]\b",
    r"\b[cfghjklmnprtvwxyz][0-9cfghjklmnprtvwxyz]{8}\d\b",
    r"\b[1-478] ?\d{2} ?\d{2} ?2[ab] ?\d{3} ?\d{3} ?\d{2}\b",
)
_DOCUMENT = (
    r"\b(?:passport|driver'?s? licen[cs]e|driving licen[cs]e|licen[cs]e number)"
    r"(?: (?:no|nr|num|number|is|#))*[.:#=]* {0,2}[a-z]{0,5}[ \-]?\d[a-z0-9 \-]{4,16}\b"
)
_DOCUMENT_RE = re2.compile(_DOCUMENT)
_VALUE = re2.compile(r"[a-z]{0,5}[ \-]?\d[a-z0-9\-]{4,16}")


def _shape_fits(raw: str, shape: str) -> bool:
    if len(raw) != len(shape):
        return False
    for char, wanted in zip(raw, shape, strict=True):
        if wanted == "9":
            if not ("0" <= char <= "9"):
                return False
        elif wanted == "a":
            if not ("a" <= char <= "z"):
                return False
        elif wanted == "*":
            if not char.isalnum():
                return False
        elif char != wanted and not (wanted == "x" and char == "x"):
            return False
    return True


def _judge(text: str, place: tuple[int, int]) -> tuple[float, str] | None:
    """The most likely kind of one written number, with its trust."""
    raw = text[place[0] : place[1]]
    if len(set(filter(str.isalnum, raw))) < 3:
        return None
    best: tuple[float, str] | None = None
    for kind in _KINDS:
        for shape in kind.shapes:
            if not _shape_fits(raw, shape):
                continue
            compact = "".join(
                char for char in raw if char.isalnum() or (char in "-+" and kind.valid is check.is_fi_hetu)
            )
            if kind.valid(compact):
                separated = any(char in " .-/+|" for char in raw)
                trust = kind.shaped if separated else kind.bare
                if has_near(text, place, kind.words):
                    trust = kind.named
                elif has_near(text, place, _GENERIC):
                    trust = max(trust, 0.7)
                if trust > (best[0] if best else 0.0):
                    best = (trust, kind.title)
            break
    return best


class NationalIdDetector:
    """Finds identity, tax and social security numbers; digits alone score low unless a keyword is near."""

    names = frozenset({NATIONAL_ID})
    triggers = (_DIGIT_RUN, *_LETTERED, _DOCUMENT)

    def detect(self, field: str, text: str, spans: Sequence[tuple[int, int]]) -> list[Hit]:
        """See `worker.signals.detectors.Detector`."""
        found: dict[int, Hit] = {}
        for start, end in sorted(set(spans))[:MAX_SPANS]:
            document = _DOCUMENT_RE.search(text[start:end])
            if document:
                value = _VALUE.search(text[start : min(end, start + 72)])
                if value and sum(char.isdigit() for char in value.group()) >= 5:
                    detail = "passport number" if "passport" in document.group() else "driving licence number"
                    place = (start + value.start(), start + value.end())
                    found.setdefault(place[0], Hit(NATIONAL_ID, field, *place, 0.85, detail))
                continue
            if cut_from_run(text, (start, end)):
                continue
            judged = _judge(text, (start, end))
            if judged and judged[0] >= 0.2:
                trust, title = judged
                old = found.get(start)
                if old is None or old.score < trust:
                    found[start] = Hit(NATIONAL_ID, field, start, end, trust, title)
        return [found[start] for start in sorted(found)]


DETECTOR = NationalIdDetector()
