"""What the models learn from: public sources and the authored corpus, as texts with targets and weights per head.

A head is one policy. A target without weight is unknown: it neither trains nor measures anything.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from worker.engine.policy import POLICY_IDS
from worker.evaluation.evasions import EVASIONS
from worker.learned.texts import model_text
from worker.signals.canonical import canonicalise

HEADS = tuple(
    policy for policy in POLICY_IDS if policy != "child-sexual-exploitation"
)  # nothing is trained for it
CORPUS = Path(__file__).parent / "corpus"

TRAINABLE = frozenset(
    [
        "davidson",
        "edos",
        "hatemojibuild",
        "civil_comments_toxic_spans",
        "surge_toxicity",
        "sms_spam",
        "youtube_spam",
        "janitr_x_posts",
        "presidio_synthetic_pii",
        "ailuminate_prompts",
        "catqa",
        "harmbench_behaviors",
        "tweeteval_emoji",
        "tweeteval_sentiment",
        "tweeteval_irony",
    ]
)
"""Sources whose terms let weights trained on them be given away; the model cards credit them."""
MEASURED = frozenset(
    [
        "stormfront_vicomtech",
        "wikipedia_talk_toxicity",
        "suicidewatch_sample",
        "hateval_tweeteval",
        "olid",
        "nus_sms",
    ]
)
"""Sources that are only measured on: never trained on, and no threshold is fitted to them."""
ORDINARY = frozenset({"tweeteval_emoji", "tweeteval_sentiment", "tweeteval_irony"})
"""Everyday tweets, presumed to break nothing."""

WEAK = 0.3  # presumed or noisy labels
OFF_GENRE = 0.3  # questions to chatbots: models key on their topic
TEMPLATES = 0.2  # sentences made from templates; personal data in them is not doxxing
BASE_RATE = 0.1  # ordinary tweets, for policies that their source says nothing of: nearly all break none
FINE = 1.5  # the authored hard negatives, for every head
ELSEWHERE = 0.15  # authored violations, for the heads of other policies
FILLED = 0.5  # sentences with the names of groups filled in: many, and alike

DEV_SHARE = 0.12
GROUPS_A_TEMPLATE = 8
NEAR: tuple[frozenset[str], ...] = (
    frozenset({"violence", "violent-extremism", "perpetrators-of-attacks", "hateful-conduct", "abuse-harassment"}),
    frozenset(
        {
            "platform-manipulation", "illegal-goods", "misleading-identities", "trademark", "copyright",
            "third-party-ads",
        }
    ),
    frozenset({"sensitive-media", "non-consensual-nudity", "private-information"}),
)  # fmt: skip
"""Policies whose posts often break one another too: a violation of one says nothing about the others."""

Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Example:
    """One text with what is known of it.

    `targets` holds a head's target (1.0 breaks the policy) and its weight; a head that it lacks is unknown. `pair`
    is shared by contrast twins; `group` is what was filled into a template.
    """

    text: str
    source: str
    split: str  # "train", "dev", or "measure": dev rows of sources that are only measured on
    targets: Mapping[str, tuple[float, float]]
    pair: str = ""
    slices: Mapping[str, str] = field(default_factory=dict)


def read_public(folder: Path) -> Iterator[Example]:
    """The rows of the `text/*.jsonl.gz` below a folder, those without any known target left out."""
    for path in sorted((folder / "text").glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                example = public_example(json.loads(line))
                if example is not None:
                    yield example


def public_example(row: Mapping[str, object]) -> Example | None:
    """A row of a public source; None where it may not be used or says nothing.

    Raises:
      ValueError: a source whose terms nobody has read.
    """
    source = str(row["source"])
    if source not in TRAINABLE | MEASURED:
        raise ValueError(f"unknown source: {source}")
    split = str(row["split"])
    if source in MEASURED:
        if split != "dev":
            return None
        split = "measure"
    labels, covers, weak = (_policies(row, name) for name in ("labels", "covers", "weak"))
    targets: dict[str, tuple[float, float]] = {}
    for head in HEADS:
        if head in labels | covers | weak:
            weight = WEAK if head in weak else 1.0
            if row.get("genre") == "assistant_prompt":
                weight *= OFF_GENRE
            if source == "presidio_synthetic_pii":
                weight *= TEMPLATES
            targets[head] = (float(head in labels), weight)
        elif source in ORDINARY:
            targets[head] = (0.0, BASE_RATE)
    return Example(str(row["text"]), source, split, targets) if targets else None


def _policies(row: Mapping[str, object], name: str) -> frozenset[str]:
    values = row.get(name) or []
    assert isinstance(values, list)
    return frozenset(map(str, values))


def read_corpus(folder: Path = CORPUS) -> Iterator[Example]:
    """Both twins of every pair of the authored corpus, then ordinary texts and the filled templates."""
    for path in sorted(folder.rglob("*.tsv")):
        if path.stem in HEADS:
            yield from read_pairs(path)
    for path in sorted(folder.glob("ordinary-*.tsv")):
        yield from read_ordinary(path)
    yield from read_templates(folder)


def read_ordinary(path: Path) -> Iterator[Example]:
    """Authored texts that break nothing, many of which look as if they did."""
    for row in read_table(path):
        if row.get("text"):
            slices = {"genre": row["genre"], "policy": row["looks-like"], "twin": "fine"}
            yield Example(row["text"], "ordinary", side(row["text"]), fine_targets(), "", slices)


def read_pairs(path: Path) -> Iterator[Example]:
    """The twins of one policy's file, named after the policy; lines that are no pair are passed over."""
    policy = path.stem
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n")[1:], 2):
        cells = line.split("\t")
        if len(cells) != 5 or not cells[3].strip() or not cells[4].strip():
            continue
        lang, register, trait, breaks, fine = cells
        pair = f"{path.parent.name}/{policy}:{number}"
        split = side(f"{breaks}\t{fine}")
        also, text = _prefixed(breaks)
        slices = {"lang": lang, "register": register, "trait": trait, "policy": policy}
        yield Example(
            text, "corpus", split, breaking_targets({policy, *also}), pair, slices | {"twin": "breaks"}
        )
        yield Example(fine, "corpus", split, fine_targets(), pair, slices | {"twin": "fine"})


def side(key: str, dev: float = DEV_SHARE) -> str:
    """`train` or `dev`, always the same for a key: twins share one, so that they stay together."""
    digest = hashlib.sha256(key.encode()).digest()
    return "dev" if int.from_bytes(digest[:4], "big") < dev * 2**32 else "train"


def _prefixed(text: str) -> tuple[frozenset[str], str]:
    """The further policies that a `{also: a, b} ` or `{at-risk} ` in front names, and the text without it."""
    if not text.startswith("{"):
        return frozenset(), text
    head, _, rest = text[1:].partition("}")
    name, _, values = head.partition(":")
    found = {value.strip() for value in values.split(",")} if name.strip() == "also" else set()
    return frozenset(found & set(HEADS)), rest.strip()


def breaking_targets(policies: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Targets of an authored violation: unknown for policies near to those that it breaks, else a light negative."""
    broken = frozenset(policies)
    near = frozenset[str]().union(*(group for group in NEAR if group & broken))
    return {
        head: (1.0, 1.0) if head in broken else (0.0, ELSEWHERE)
        for head in HEADS
        if head in broken or head not in near
    }


def fine_targets(weight: float = FINE) -> dict[str, tuple[float, float]]:
    """Targets of an authored hard negative: breaks nothing."""
    return dict.fromkeys(HEADS, (0.0, weight))


def read_templates(folder: Path = CORPUS, seed: int = 0) -> Iterator[Example]:
    """Templates with the names of groups filled in, as often for every group, so that a name foretells nothing.

    `hateful-conduct.slots.tsv` holds twins, `{plural}` and its fellows in them stand for the columns of
    `groups.tsv`. Whole pairs of templates are held out for dev.
    """
    slots, groups = folder / "hateful-conduct.slots.tsv", folder / "groups.tsv"
    if not slots.exists() or not groups.exists():
        return
    names = list(read_table(groups))
    for number, row in enumerate(read_table(slots)):
        if len(row) != 2:
            continue
        split = side("\t".join(row.values()))
        dice = random.Random(f"{seed}/{number}")  # noqa: S311 - repeatable on purpose, no secret
        for group in dice.sample(names, min(GROUPS_A_TEMPLATE, len(names))):
            pair = f"slots:{number}:{group['group']}"
            for twin, template in row.items():
                text = fill(template, group)
                targets = breaking_targets({"hateful-conduct"}) if twin == "breaks" else fine_targets()
                if text is not None:
                    light = {head: (target, weight * FILLED) for head, (target, weight) in targets.items()}
                    slices = {"group": group["group"], "policy": "hateful-conduct", "twin": twin}
                    yield Example(text, "slots", split, light, pair, slices)


def fill(template: str, group: Mapping[str, str]) -> str | None:
    """The template with a group's names filled in; None where the group has no name of the kind asked for."""
    for name, value in group.items():
        if f"{{{name}}}" in template:
            if not value or value == "-":
                return None
            template = template.replace(f"{{{name}}}", value)
    return template


def read_table(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a TAB separated file by the names in its first line."""
    lines = path.read_text(encoding="utf-8").split("\n")
    names = lines[0].split("\t")
    for line in lines[1:]:
        if line and not line.startswith("#"):
            yield dict(zip(names, line.split("\t"), strict=False))


def prepared(text: str) -> str:
    """A text as the models read it: canonical, disguises undone, special pieces replaced."""
    return model_text(canonicalise(text).variants[-1])


def disturbed(text: str, dice: random.Random) -> str:
    """The text as it might as well have been written: one in ten disguised, one in ten with other signs around it."""
    choice = dice.random()
    if choice < 0.1:
        evasion = EVASIONS[dice.choice(list(EVASIONS))]
        return evasion.apply(text, dice.randrange(1 << 30), dice.choice((0.3, 0.5, 1.0)))
    if choice < 0.14:
        return "".join(char for char in text if char not in ".,;:!?\"'")
    if choice < 0.17:
        return text.replace("#", "")
    if choice < 0.2:
        return f"@user {text}"
    return text


def matrices(examples: Sequence[Example]) -> tuple[Matrix, Matrix]:
    """Targets and weights, a row an example, a column a head."""
    targets = np.zeros((len(examples), len(HEADS)), np.float32)
    weights = np.zeros_like(targets)
    place = {head: column for column, head in enumerate(HEADS)}
    for row, example in enumerate(examples):
        for head, (target, weight) in example.targets.items():
            targets[row, place[head]] = target
            weights[row, place[head]] = weight
    return targets, weights


def write(examples: Iterable[Example], path: Path) -> None:
    """Writes examples as gzipped JSON lines, the same bytes for the same examples."""
    with path.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as out:
        for example in examples:
            out.write(json.dumps(asdict(example), ensure_ascii=False).encode() + b"\n")


def read(path: Path) -> list[Example]:
    """What `write` wrote."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Example(**{**row, "targets": {head: (pair[0], pair[1]) for head, pair in row["targets"].items()}})
        for row in rows
    ]


def sample(examples: Sequence[Example], caps: Mapping[str, int], dice: random.Random) -> list[Example]:
    """Each source's rows, at most so many as its cap, taken by chance and mixed; sources without a cap as a whole."""
    by_source: dict[str, list[Example]] = {}
    for example in examples:
        by_source.setdefault(example.source, []).append(example)
    chosen: list[Example] = []
    for source in sorted(by_source):
        rows = by_source[source]
        cap = caps.get(source, len(rows))
        chosen += dice.sample(rows, min(cap, len(rows)))
    dice.shuffle(chosen)
    return chosen


def make(folder: Path, work: Path, corpus: Path = CORPUS) -> dict[str, int]:
    """Writes `public.jsonl.gz` and `corpus.jsonl.gz`; how many rows came from each source and split."""
    counts: dict[str, int] = {}
    for name, examples in (("public", list(read_public(folder))), ("corpus", list(read_corpus(corpus)))):
        write(examples, work / f"{name}.jsonl.gz")
        for example in examples:
            key = f"{example.source} {example.split}"
            counts[key] = counts.get(key, 0) + 1
    return counts
