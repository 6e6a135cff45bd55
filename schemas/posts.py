"""Records of `posts`: what was posted, by whom, with which media."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import (
    MAX_TEXT,
    Count,
    Flag,
    Hex32,
    Hex64,
    Id,
    InputRecord,
    Language,
    Many,
    PastTime,
    Ratio,
    Seconds,
    Time,
    Wire,
)

Surface = Literal["post", "reply", "quote", "repost", "message", "live"]
MediaKind = Literal["image", "gif", "video", "audio", "live_video"]
Placement = Literal["post", "profile", "header", "live"]
Text = Annotated[str, Field(max_length=MAX_TEXT)]


class PostRef(Wire):
    """Another post that this one answers or quotes."""

    post_id: Id
    """Id of the other post."""
    author_id: Id | None = None
    """Account that wrote it."""
    text: Text | None = None
    """Its text, when upstream sends it."""


class Profile(Wire):
    """What an account shows of itself, and how it behaves."""

    handle: str | None = None
    """Name in mentions, without the at sign."""
    display_name: str | None = None
    """Name shown above posts."""
    bio: str | None = None
    """Text about itself."""
    created_at: PastTime | None = None
    """When the account was made."""
    followers: Count | None = None
    """Accounts that follow it."""
    following: Count | None = None
    """Accounts that it follows."""
    posts: Count | None = None
    """Posts that it has made."""
    verified: Flag = False
    """Its identity was checked."""
    parody: Flag = False
    """It says that it is a parody, fan or commentary account."""
    protected: Flag = False
    """Only its followers see its posts."""
    public_interest: Flag = False
    """Its posts may stay up, behind a label, because the public has an interest in them."""
    sensitive_by_default: Flag = False
    """It marks all its media as sensitive."""
    age_restricted: Flag = False
    """Only adults see it."""
    follows_1h: Count = 0
    """Accounts that it followed within the last hour."""
    unfollows_1h: Count = 0
    """Accounts that it stopped following within the last hour."""


class Client(Wire):
    """What it was posted with: opaque keyed hashes made upstream, never raw addresses."""

    app: str | None = None
    """Name of the application."""
    device: str | None = None
    """Hash of the device, `d:…`."""
    network: str | None = None
    """Hash of the network, `n:…`."""


class Provenance(Wire):
    """What is known about how the media was made."""

    c2pa: str | None = None
    """Outcome of checking its C2PA manifest: trusted, valid, expired, revoked, invalid or unreadable; null without one."""
    c2pa_failures: Many[str] = ()
    """Codes of the checks that its manifest failed, e.g. `assertion.dataHash.mismatch`."""
    ai_generated: Flag | None = None
    """Whether it was made by a generative model; null when unknown."""
    digital_source_type: str | None = None
    """How it came to be, by its metadata: a term of the IPTC's list, e.g. `trainedAlgorithmicMedia`."""
    generator: str | None = None
    """Program or camera that its metadata names."""
    signer: str | None = None
    """Who signed its C2PA manifest."""


class Frame(Wire):
    """One frame of a video and its perceptual hash."""

    at_seconds: Seconds = 0.0
    """Where the frame stands."""
    pdq: Hex64 | None = None
    """PDQ hash, 64 hex digits."""
    pdq_quality: Annotated[Count, Field(le=100)] | None = None
    """Quality that PDQ gives, 0 to 100."""


class AdMarker(Wire):
    """A place where the media announces an advertisement."""

    at_seconds: Seconds = 0.0
    """Where the marker stands."""
    kind: str | None = None
    """What kind of marker, e.g. `scte35`."""


class Media(Wire):
    """One media item of a post or a profile."""

    media_id: Id
    """Id of the item, unique within its post."""
    kind: MediaKind | None = None
    """What it is; null when unknown."""
    placement: Placement = "post"
    """Where it is shown."""
    uri: str | None = None
    """Where it lies, file or object store; null when upstream sends only hashes."""
    sha256: Hex64 | None = None
    """SHA-256 of the file, 64 hex digits."""
    md5: Hex32 | None = None
    """MD5 of the file, 32 hex digits: many hash lists have nothing else."""
    pdq: Hex64 | None = None
    """PDQ hash, 64 hex digits."""
    pdq_quality: Annotated[Count, Field(le=100)] | None = None
    """Quality that PDQ gives, 0 to 100."""
    alt_text: str | None = None
    """Description that the author gave."""
    transcript: str | None = None
    """What is spoken in it."""
    on_screen_text: str | None = None
    """What is written in it."""
    duration_seconds: Seconds | None = None
    """How long it plays."""
    marked_sensitive: Flag = False
    """The author marked it as sensitive."""
    scores: dict[str, Ratio] = Field(default_factory=dict)
    """Scores of an upstream classifier by class, 0 to 1."""
    provenance: Provenance | None = None
    """How it was made."""
    frames: Many[Frame] = ()
    """Hashed frames of a video, in the order received."""
    ad_markers: Many[AdMarker] = ()
    """Announced advertisements, in the order received."""


class Post(InputRecord):
    """A new post, an edit (`edit_of`) or a deletion by its author (`deleted`)."""

    post_id: Id
    """Id of the post."""
    author_id: Id
    """Account that wrote it; the record's key."""
    created_at: Time
    """When it was posted, edited or deleted: the time by which it is judged."""
    text: Text
    """What was written, possibly nothing; at most 25 000 code points."""
    lang: Language | None = None
    """BCP 47 tag of the text's language; null when unknown."""
    surface: Surface = "post"
    """Where it was posted."""
    in_reply_to: PostRef | None = None
    """The post that it answers."""
    quotes: PostRef | None = None
    """The post that it quotes."""
    edit_of: Id | None = None
    """Id of the post that it replaces."""
    deleted: Flag = False
    """Its author deleted it."""
    mentions: Many[str] = ()
    """Ids of the accounts that it mentions."""
    hashtags: Many[str] = ()
    """Its hashtags, without the sign."""
    urls: Many[str] = ()
    """Its links, expanded."""
    author: Profile | None = None
    """The author's profile at that time."""
    client: Client | None = None
    """What it was posted with."""
    media: Many[Media] = ()
    """Its media, in order."""
