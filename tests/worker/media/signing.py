"""C2PA manifests for tests: certificates made on the spot, and files signed with them."""

from __future__ import annotations

import datetime as dt
import io
from functools import lru_cache
from typing import Any, NamedTuple

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.worker.media.pictures import landscape

TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
MIME = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    "tiff": "image/tiff",
    "avif": "image/avif",
}


class Credential(NamedTuple):
    """A signer's key, its certificate chain in PEM, and the certificate itself."""

    key: ec.EllipticCurvePrivateKey
    chain: bytes
    certificate: x509.Certificate


class Authority:
    """A root certificate that issues signers' certificates."""

    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = (
            _builder(_name("Test root", name), _name("Test root", name), self.key, -4000, 4000)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        """The root certificate: what a trust list holds."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(
        self,
        organisation: str | None = "Test Cameras",
        common_name: str = "Test unit 7",
        days: tuple[int, int] = (-10, 400),
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> Credential:
        """A signer's certificate, valid from and until these days from now."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(_name(common_name, organisation), self.certificate.subject, key, *days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
            .sign(self.key, hashes.SHA256())
        )
        chain = certificate.public_bytes(serialization.Encoding.PEM) + self.pem
        return Credential(key, chain, certificate)


def authority(name: str = "Test Authority") -> Authority:
    """The authority of a name, the same for all tests."""
    return _authority(name)


def credential(name: str = "Test Authority", organisation: str | None = "Test Cameras") -> Credential:
    """A signer of an authority, the same for all tests."""
    return _credential(name, organisation)


@lru_cache
def _authority(name: str) -> Authority:
    return Authority(name)


@lru_cache
def _credential(name: str, organisation: str | None) -> Credential:
    return authority(name).issue(organisation)


def action(name: str, source: str | None = None, **more: Any) -> dict[str, Any]:
    """One action of a manifest; `source` is a term of the IPTC or a whole address."""
    told: dict[str, Any] = {"action": f"c2pa.{name}", **more}
    if source is not None:
        told["digitalSourceType"] = source if ":" in source else TYPES + source
    return told


def manifest(*actions: dict[str, Any], program: str = "Test Camera", **more: Any) -> dict[str, Any]:
    """A manifest's definition."""
    return {
        "claim_generator_info": [{"name": program, "version": "1.0"}],
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": list(actions)}},
            *more.pop("assertions", ()),
        ],
        **more,
    }


def camera() -> dict[str, Any]:
    """What a camera says."""
    return manifest(action("created", "digitalCapture"))


def generated() -> dict[str, Any]:
    """What a generator says."""
    agent = {"name": "Adobe Firefly", "version": "3"}
    return manifest(
        action("created", "trainedAlgorithmicMedia", softwareAgent=agent), program="Adobe_Firefly"
    )


def picture(format: str = "jpeg", seed: int = 1, **options: Any) -> bytes:
    """A picture's file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(landscape(seed, (320, 240))).save(file, format.upper(), **options)
    return file.getvalue()


def sign(
    definition: dict[str, Any],
    data: bytes | None = None,
    mime: str = "image/jpeg",
    by: Credential | None = None,
    ingredients: tuple[tuple[dict[str, Any], bytes], ...] = (),
    embed: bool = True,
    remote: str | None = None,
) -> bytes:
    """A file with a manifest; ingredients are (what is said of one, its JPEG)."""
    by = by or credential()
    key = by.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", by.chain, key, None))
    return _built(definition, data or picture(), mime, signer, ingredients, embed, remote)


def sign_expired(definition: dict[str, Any]) -> bytes:
    """A JPEG signed with a certificate that is no longer valid.

    The library refuses to sign with one, so it signs with a valid one of the same key and length, and the
    certificate and its signature are exchanged afterwards; the certificate lies outside of what is hashed.
    """
    good = credential()
    old = authority().issue(days=(-500, -100), key=good.key)
    for _ in range(64):
        if len(_der(old)) == len(_der(good)):
            break
        old = authority().issue(days=(-500, -100), key=good.key)
    signed: list[tuple[bytes, bytes]] = []

    def callback(data: bytes) -> bytes:
        signed.append((data, _raw_signature(good.key, data)))
        return signed[-1][1]

    signer = c2pa.Signer.from_callback(callback, c2pa.C2paSigningAlg.ES256, good.chain.decode(), None)
    file = _built(definition, picture(), "image/jpeg", signer)
    data, signature = signed[-1]
    again = _raw_signature(good.key, data.replace(_der(good), _der(old)))
    assert _der(good) in file
    assert signature in file
    return file.replace(_der(good), _der(old)).replace(signature, again)


def flip(data: bytes, at: int) -> bytes:
    """The same bytes with one bit changed."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _built(
    definition: dict[str, Any],
    data: bytes,
    mime: str,
    signer: Any,
    ingredients: tuple[tuple[dict[str, Any], bytes], ...] = (),
    embed: bool = True,
    remote: str | None = None,
) -> bytes:
    settings = {
        "builder": {"thumbnail": {"enabled": False}},
        "verify": {"verify_after_sign": False, "remote_manifest_fetch": False},
    }
    builder = c2pa.Builder(definition, context=c2pa.Context.from_dict(settings))
    if not embed:
        builder.set_no_embed()
    if remote is not None:
        builder.set_remote_url(remote)
    for about, part in ingredients:
        builder.add_ingredient(about, "image/jpeg", io.BytesIO(part))
    out = io.BytesIO()
    builder.sign(signer, mime, io.BytesIO(data), out)
    return out.getvalue()


def _raw_signature(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


def _der(of: Credential) -> bytes:
    return of.certificate.public_bytes(serialization.Encoding.DER)


def _name(common: str, organisation: str | None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if organisation is not None:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name(parts)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, start: int, end: int
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=start))
        .not_valid_after(now + dt.timedelta(days=end))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
