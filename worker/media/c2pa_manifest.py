"""C2PA manifests in media files: read and verified offline, and what the signer says about how the file was made.

The manifest says who signed which claims about this file, and whether the file is still the one that was signed.
It never says that what a picture shows is true. Specification:
https://spec.c2pa.org/specifications/specifications/2.2/specs/C2PA_Specification.html, read 2026-11-24.

Nothing is fetched: no manifest that lies elsewhere, no revocation lists, no time stamps. What the verification
library gives is JSON about a hostile file, and is read as such.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import c2pa

from worker.media.source_types import COMPOSITE_TRAINED, GENERATED, TRAINED, is_generated, source_term

State = Literal["trusted", "valid", "invalid", "expired", "revoked", "unreadable"]

MAX_TRUST_BYTES: Final = 4 * 1024 * 1024
MAX_REPORT: Final = 8_000_000  # characters of the library's report; a longer one is not read
MAX_NAME: Final = 100
_MAX_DEPTH: Final = 8  # ingredients of ingredients
_MAX_MANIFESTS: Final = 64
_MAX_ACTIONS: Final = 1_000
_MAX_FAILURES: Final = 8

_TYPES: Final = {  # our names of formats -> what the library calls them
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "tiff": "image/tiff",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "avi": "video/avi",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "flac": "audio/flac",
    "pdf": "application/pdf",
    "zip": "zip",
}
# Every embedded manifest has its label in the clear, so a file without these bytes needs no parser at all. Only a
# PDF may compress the stream that holds it.
_MARKS: Final = (b"c2pa", b"C2PA")
_BLOCK: Final = 1 << 20
_ALWAYS: Final = frozenset(("pdf",))

_UNTRUSTED: Final = "signingCredential.untrusted"
_TRUSTED: Final = "signingCredential.trusted"
_EXPIRED: Final = frozenset(("signingCredential.expired", "claimSignature.outsideValidity"))
_REVOKED: Final = frozenset(("signingCredential.ocsp.revoked", "signingCredential.revoked"))
# What fails when bytes were changed, exchanged or taken out after signing; the rest is about form.
_CHANGED: Final = (
    ".mismatch",
    ".missing",
    ".undeclared",
    ".inaccessible",
    ".outsideManifest",
    ".hardBindings",
)
_BESIDE: Final = "cawg."  # identity assertions: about a person, not about the file
_ACTIONS: Final = ("c2pa.actions", "c2pa.actions.v2")
_LEGACY_GENERATIVE: Final = (
    "com.adobe.generative-ai"  # Firefly's first manifests, before there was a term for it
)
_PARENT: Final = "parentOf"
_PART: Final = "componentOf"
_ELSEWHERE: Final = "Remote"  # how the library's error begins for a file that only points at a manifest
_BAD_INPUT: Final = (
    c2pa.C2paError,
    OSError,
    ValueError,
    TypeError,
    KeyError,
    OverflowError,
    RecursionError,
    MemoryError,
)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says, as far as it may be believed.

    `state`: "trusted" (everything fits, and the signer is on the operator's list), "valid" (everything fits; the
    signer may be anybody), "expired" or "revoked" (everything fits but the signer's certificate), "invalid" (the
    file or the manifest was changed after signing; `failures` are the codes of the checks that failed, at most
    eight) or "unreadable" (broken, or not as the specification asks: neither for nor against it). Of an invalid or unreadable manifest nothing else is given: its claims are about
    another file.
    """

    state: State
    failures: tuple[str, ...] = ()
    ai_generated: bool | None = None
    source_type: str | None = None  # a term of `source_types`
    generator: str | None = None  # the program or device, at most 100 characters
    agents: tuple[str, ...] = ()  # programs that its actions name
    signer: str | None = None  # the organisation, at most 100 characters


def read_manifest(path: Path, format_name: str, trust: str | None = None) -> Manifest | None:
    """The manifest embedded in a file of one of the formats of `sniffing`, or None without one.

    `trust` is the path of a PEM file of certificates (the operator's trust list). It raises nothing: a manifest
    that breaks the reader is "unreadable", and so is one whose report is too long.
    """
    media_type = _TYPES.get(format_name)
    if media_type is None:
        return None
    try:
        if format_name not in _ALWAYS and not _is_marked(path):
            return None
    except OSError:
        return None
    try:
        report = _report(path, media_type, trust)
    except c2pa.C2paError.ManifestNotFound:
        return None
    except _BAD_INPUT as error:
        if str(error).startswith(_ELSEWHERE):
            return None  # nothing is fetched
        # A PDF that is broken elsewhere says nothing of a manifest; in other files the mark was seen.
        return None if format_name in _ALWAYS else Manifest("unreadable")
    try:
        return judge_report(report)
    except _BAD_INPUT:
        return Manifest("unreadable")


def check_trust(trust: str) -> None:
    """Reads a trust list as `read_manifest` will, so that an operator hears of a bad one at the start.

    Raises:
        ValueError: It is no file, is larger than 4 MiB, or holds no certificate that can be read.
    """
    try:
        c2pa.Context.from_dict(_settings(_anchors(trust))).close()
    except (c2pa.C2paError, OSError) as error:
        raise ValueError(f"the trust list holds no certificates in PEM: {type(error).__name__}") from error


def judge_report(report: object) -> Manifest | None:
    """What the library's report says, read as untrusted JSON; None if it knows of no manifest."""
    store = _dict(report)
    manifests = _dict(store.get("manifests"))
    label = store.get("active_manifest")
    if not isinstance(label, str) or label not in manifests:
        return None
    state, failures = _state(store)
    if state in {"invalid", "unreadable"}:
        return Manifest(state, failures)
    active = _dict(manifests[label])
    story = _Story(manifests, _trusted_ingredients(store), trusted=state == "trusted")
    term, generated = story.of(label)
    if generated is False and state not in {"trusted", "valid"}:
        generated = None  # nobody can tell when a certificate was used that is no longer valid
    agents = tuple(dict.fromkeys(story.agents))[:16]
    return Manifest(
        state,
        failures,
        generated,
        term,
        _generator(active) or (agents[0] if agents else None),
        agents,
        _signer(active, trusted=state == "trusted"),
    )


def _is_marked(path: Path) -> bool:
    tail = b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):  # `find` of a mapped file would be several times slower
            if any(mark in block or mark in tail + block[:3] for mark in _MARKS):
                return True
            tail = block[-3:]
    return False


def _report(path: Path, media_type: str, trust: str | None) -> object:
    with path.open("rb") as file, c2pa.Reader(media_type, file, context=_context(trust)) as reader:
        text = reader.json()
    if len(text) > MAX_REPORT:
        raise ValueError("the report is too long")
    return json.loads(text)


def _settings(anchors: str | None) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
        # Belt and braces: should a path be left that fetches, no host is allowed.
        "core": {
            "allowed_network_hosts": [],
            "allow_redirects": False,
            "decode_identity_assertions": False,
            "max_decompressed_manifest_size_in_mb": 16,
        },
    }
    if anchors is not None:
        settings["trust"] = {"trust_anchors": anchors}
    return settings


def _anchors(trust: str) -> str:
    with Path(trust).open("rb") as file:
        data = file.read(MAX_TRUST_BYTES + 1)
    if len(data) > MAX_TRUST_BYTES:
        raise ValueError("the trust list is larger than 4 MiB")
    return data.decode("ascii", "replace")


def _context(trust: str | None) -> c2pa.Context:
    """The settings of the library, with the trust list as the file now is."""
    if trust is not None:
        try:
            stat = Path(trust).stat()
            return _cached_context(trust, stat.st_mtime_ns, stat.st_size)
        except (OSError, ValueError, c2pa.C2paError):
            pass  # without a list nobody is trusted; `check_trust` told the operator
    return _cached_context(None, 0, 0)


@lru_cache(maxsize=2)
def _cached_context(trust: str | None, changed: int, size: int) -> c2pa.Context:
    return c2pa.Context.from_dict(_settings(None if trust is None else _anchors(trust)))


# ------------------------------------------------------------------ does it fit


def _codes(results: object, kind: str) -> list[str]:
    found = (_dict(entry).get("code") for entry in _list(_dict(results).get(kind)))
    return [code for code in found if isinstance(code, str)]


def _state(store: dict[str, Any]) -> tuple[State, tuple[str, ...]]:
    results = _dict(store.get("validation_results"))
    failures = _codes(results.get("activeManifest"), "failure")
    for delta in _list(results.get("ingredientDeltas")):
        failures += _codes(_dict(delta).get("validationDeltas"), "failure")
    told = tuple(
        dict.fromkeys(_cut(code) for code in failures if code != _UNTRUSTED and not code.startswith(_BESIDE))
    )[:_MAX_FAILURES]
    state = store.get("validation_state")
    if state == "Trusted":
        return "trusted", ()
    if state == "Valid":
        return "valid", ()
    if told and all(code in _EXPIRED or code in _REVOKED for code in told):
        return ("revoked" if any(code in _REVOKED for code in told) else "expired"), told
    if any(code.endswith(_CHANGED) for code in told):
        return "invalid", told
    return "unreadable", told  # not as the specification asks, from a careless program: no sign of tampering


def _trusted_ingredients(store: dict[str, Any]) -> frozenset[str]:
    """Where ingredients lie whose signer this program's own trust list knows, as their assertions' addresses."""
    results = _dict(store.get("validation_results"))
    places = []
    for entry in _list(results.get("ingredientDeltas")):
        delta = _dict(entry)
        place = delta.get("ingredientAssertionURI")
        if isinstance(place, str) and _TRUSTED in _codes(delta.get("validationDeltas"), "success"):
            places.append(place)
    return frozenset(places)


# ------------------------------------------------------------------ what it tells


class _Story:
    """How the file came to be: the active manifest's actions, and those of what it was made from."""

    def __init__(self, manifests: dict[str, Any], known: frozenset[str], *, trusted: bool) -> None:
        self.agents: list[str] = []
        self._manifests = manifests
        self._known = known  # ingredients whose signer is on the trust list
        self._trusted = trusted
        self._answers: dict[str, tuple[str | None, bool | None]] = {}

    def of(self, label: str, depth: int = 0) -> tuple[str | None, bool | None]:
        """The source type of a manifest's file and whether a model had a part in it; None where it is not known.

        That it was not is said only if the origin is told and every part's origin too.
        """
        if label not in self._answers:
            if depth > _MAX_DEPTH or len(self._answers) >= _MAX_MANIFESTS:
                return None, None
            self._answers[label] = (None, None)  # what a manifest hears that is made from itself
            self._answers[label] = self._tell(label, depth)
        return self._answers[label]

    def _tell(self, label: str, depth: int) -> tuple[str | None, bool | None]:
        manifest = _dict(self._manifests.get(label))
        told = self._told(manifest)
        for term in (TRAINED, COMPOSITE_TRAINED, *GENERATED):
            if term in told:
                return term, True
        origin = told[0] if told else None
        known = [is_generated(term) for term in told]
        for entry in _list(manifest.get("ingredients"))[:_MAX_MANIFESTS]:
            ingredient = _dict(entry)
            relation = ingredient.get("relationship")
            if relation not in {_PARENT, _PART}:
                continue  # `inputTo`: a tool's input, which need not be in the picture
            source, generated = self._ingredient(label, ingredient, depth)
            if generated:
                return (source if relation == _PARENT else COMPOSITE_TRAINED), True
            known.append(generated)
            if relation == _PARENT and origin is None:
                origin = source
        return origin, False if known and all(answer is False for answer in known) else None

    def _told(self, manifest: dict[str, Any]) -> list[str]:
        """The source types that a manifest's own assertions name, the one of its making first."""
        made: list[str] = []
        later: list[str] = []
        for entry in _list(manifest.get("assertions")):
            assertion = _dict(entry)
            label = assertion.get("label")
            data = _dict(assertion.get("data"))
            if not isinstance(label, str):
                continue
            if label.split("__")[0] in _ACTIONS:
                for action in map(_dict, _list(data.get("actions"))[:_MAX_ACTIONS]):
                    term = source_term(action.get("digitalSourceType"))
                    if term is not None:
                        (made if action.get("action") == "c2pa.created" else later).append(term)
                    self.agents += _names(action.get("softwareAgent"))
                for agent in _list(data.get("softwareAgents"))[:16]:
                    self.agents += _names(agent)
            elif label == _LEGACY_GENERATIVE:
                later.append(TRAINED)
                self.agents += _names(data.get("description"))
            else:  # metadata assertions (`stds.iptc`, `c2pa.metadata`, `cawg.metadata`) hold the term by its XMP name
                term = source_term(data.get("Iptc4xmpExt:DigitalSourceType"))
                if term is not None:
                    later.append(term)
        return made + later

    def _ingredient(
        self, owner: str, ingredient: dict[str, Any], depth: int
    ) -> tuple[str | None, bool | None]:
        recorded = _dict(_dict(ingredient.get("validation_results")).get("activeManifest"))
        broken = [
            code
            for code in _codes(recorded, "failure")
            if code != _UNTRUSTED and not code.startswith(_BESIDE)
        ]
        label = ingredient.get("active_manifest")
        if broken or not isinstance(label, str) or label not in self._manifests:
            return None, None
        term, generated = self.of(label, depth + 1)
        if generated is False and self._trusted and not self._is_known(owner, ingredient, recorded):
            # A tool that everybody trusts opens whatever it is given: a made-up camera's manifest stays made up.
            return None, None
        return term, generated

    def _is_known(self, owner: str, ingredient: dict[str, Any], recorded: dict[str, Any]) -> bool:
        name = ingredient.get("label")
        here = f"{owner}/c2pa.assertions/{name}"
        return _TRUSTED in _codes(recorded, "success") or any(place.endswith(here) for place in self._known)


def _generator(manifest: dict[str, Any]) -> str | None:
    for info in _list(manifest.get("claim_generator_info")):
        for name in _names(info):
            return name
    written = manifest.get("claim_generator")
    return _cut(written.split("/")[0].replace("_", " ")) or None if isinstance(written, str) else None


def _names(agent: object) -> list[str]:
    """The name of a program, written as a string or as an object with one."""
    name = agent if isinstance(agent, str) else _dict(agent).get("name")
    return [_cut(name)] if isinstance(name, str) and _cut(name) else []


def _signer(manifest: dict[str, Any], *, trusted: bool) -> str | None:
    """The signing certificate's organisation.

    Its common name stands in only where the list vouches for it: anybody's own certificate may bear a person's.
    """
    signature = _dict(manifest.get("signature_info"))
    for key in ("issuer", "common_name") if trusted else ("issuer",):
        value = signature.get(key)
        if isinstance(value, str) and _cut(value):
            return _cut(value)
    return None


def _cut(text: str) -> str:
    """A name on one line, without characters that cannot be seen, at most 100 of them."""
    shown = "".join(char if char.isprintable() else " " for char in text[: 4 * MAX_NAME])
    return " ".join(shown.split())[:MAX_NAME].strip()


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
