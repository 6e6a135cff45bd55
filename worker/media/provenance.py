"""Where a media file comes from: its C2PA manifest, its IPTC source type and its generator's signs, in one answer.

What may be believed, strongest first:

1. a manifest whose signer is on the operator's trust list, whatever it says;
2. anything that says "generated": a manifest of an unknown signer, the IPTC's term, a generator's own metadata.
   Nobody gains by saying so of his own picture;
3. a manifest of an unknown signer that says "captured": anybody can make such a certificate, so the field that says
   who signed must be read with it.

Metadata without a signature never says "not generated", and a manifest that does not fit its file says nothing at
all of how the file was made.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from schemas.posts import Provenance
from worker.media.c2pa_manifest import Manifest, read_manifest
from worker.media.generators import find_generator, name_agent
from worker.media.image_metadata import Text, read_metadata, source_types
from worker.media.item import Limits
from worker.media.source_types import GENERATED, TRAINED

_NO_MANIFEST: Final = Manifest("unreadable")
_SAYS_NOTHING: Final = frozenset(("invalid", "unreadable", "revoked"))


def read_provenance(path: Path, format: str, limits: Limits) -> Provenance | None:
    """What a file of one of the formats of `sniffing` says about its making; None if it says nothing.

    It raises nothing on broken or hostile files. No person's name and no place is copied out of the metadata: a
    generator's name is one of `generators.toml` or that of a verified claim, a signer is an organisation.
    """
    manifest = read_manifest(path, format, limits.c2pa_trust)
    return combine(manifest, read_metadata(path, format))


def combine(manifest: Manifest | None, texts: tuple[Text, ...]) -> Provenance | None:
    """One answer from a manifest and metadata."""
    believed = manifest if manifest is not None and manifest.state not in _SAYS_NOTHING else _NO_MANIFEST
    generated, term, generator = believed.ai_generated, believed.source_type, _program(believed)
    if generated is None or (generated is False and believed.state != "trusted"):
        made, named, program = _metadata(texts)
        if made:
            generated, term, generator = True, named, program or generator
        elif term is None:
            term = named
    if manifest is None and generated is None and term is None:
        return None
    return Provenance(
        c2pa=None if manifest is None else manifest.state,
        c2pa_failures=() if manifest is None else manifest.failures,
        ai_generated=generated,
        digital_source_type=term,
        generator=generator,
        signer=None if manifest is None else manifest.signer,
    )


def _metadata(texts: tuple[Text, ...]) -> tuple[bool | None, str | None, str | None]:
    """Whether metadata says "generated", the IPTC's term, and the generator's name: the IPTC's word before signs."""
    told = source_types(texts)
    found = find_generator(texts)
    program = found.name if found is not None else None
    systems = [text.value for text in texts if text.field == "xmp.AISystemUsed"]
    if program is None:
        program = next((name for name in map(name_agent, systems) if name is not None), None)
    for term in told:
        if term in GENERATED:
            return True, term, program
    if found is not None:
        return True, found.type, program
    if systems:
        return True, TRAINED, program
    return None, told[0] if told else None, None


def _program(manifest: Manifest) -> str | None:
    """The list's name for what a manifest says made the file, or else the claim's own words."""
    names = (*manifest.agents, manifest.generator) if manifest.ai_generated else (manifest.generator,)
    for name in names:
        if name is not None and (known := name_agent(name)) is not None:
            return known
    return manifest.generator
