"""A pack with a fault is refused whole, and each fault says file, line and reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.worker.engine.helpers import CACHE
from worker.engine.registry import Pack, UnknownPolicyError, load_pack
from worker.engine.tomlfile import PackError, Problem

PACK_TOML = 'id = "made-1"\nrules_date = 2026-11-23\n'

POLICY_TOML = """\
id = "violence"
version = 1
status = "enforce"
title = "Made up"
clause = "You may not zap."
source = { url = "https://example.com/rules", read = 2026-11-23 }
summary = "Made-up words."
languages = ["en"]
known_false_positives = ["none"]
dsa_category = "STATEMENT_CATEGORY_VIOLENCE"
threshold = 0.7
review = { score = 0.4 }

[fragments]
who = "you|they"

[[ladder]]
score = 0.7
actions = [{ kind = "remove" }]

[[terms]]
name = "made.word"
terms = ["zap"]
source = "made up"

[[terms]]
name = "made.list"
file = "lists/words.txt"
source = "made up"

[[expressions]]
name = "made.expression"
patterns = [
  'zip {{who}}',
  'zonk \\d+',
]
source = "made up"
"""

RULE_PY = """\
from worker.engine.contract import CLEAR


class Rule:
    needs = frozenset({"made.word", "made.expression"})

    def __init__(self, policy):
        pass

    def evaluate(self, subject, signals, context):
        return CLEAR
"""

FILES = {
    "pack.toml": PACK_TOML,
    "violence/policy.toml": POLICY_TOML,
    "violence/rule.py": RULE_PY,
    "violence/lists/words.txt": "# a list\nblip\nblop\n",
}

MakePack = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> MakePack:
    """Writes the pack with some files replaced; None leaves a file out."""

    def write(changes: dict[str, str | bytes | None] | None = None) -> Path:
        for name, content in {**FILES, **(changes or {})}.items():
            if content is None:
                continue
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path

    return write


def changed(old: str, new: str, text: str = POLICY_TOML) -> str:
    assert text.count(old) == 1
    return text.replace(old, new)


def line_of(text: str, needle: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), 1) if needle in line)


def refused(root: Path) -> tuple[Problem, ...]:
    with pytest.raises(PackError) as caught:
        load_pack(root, cache_dir=CACHE)
    assert caught.value.problems
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return caught.value.problems


def test_the_pack_that_the_others_are_bent_from_is_good(make: MakePack) -> None:
    pack = load_pack(make(), cache_dir=CACHE)
    assert (pack.id, pack.rules_date.isoformat()) == ("made-1", "2026-11-23")
    assert [loaded.policy.id for loaded in pack.policies] == ["violence"]
    assert {"made.word", "made.list", "made.expression"} <= pack.signals.names


BAD_POLICY = {
    "bad TOML": ('title = "Made up"', 'title = "Made up', "title", "not valid TOML"),
    "an unknown key": ("threshold = 0.7", "treshold = 0.7\nthreshold = 0.7", "treshold", "treshold: Extra"),
    "an unknown key in a list of tables": (
        'file = "lists/words.txt"',
        'fiel = "lists/words.txt"',
        "fiel",
        "terms.1.fiel: Extra",
    ),
    "a wrong type": ("version = 1", 'version = "one"', "version", "version: Input should be a valid integer"),
    "a wrong type in a list of tables": (
        'name = "made.expression"\npatterns = [',
        'name = "made.expression"\nscore = "high"\npatterns = [',
        "high",
        "expressions.0.score: Input should be a valid number",
    ),
    "a score above one": ("threshold = 0.7", "threshold = 7", "threshold", "threshold: Input should be less"),
    "a policy that the rules do not have": ('id = "violence"', 'id = "violance"', "violance", "id: Input"),
    "a signal without a family": ('name = "made.list"', 'name = "list"', '"list"', "terms.1.name: String"),
    "a status that does not exist": ('status = "enforce"', 'status = "on"', "status", "status: Input"),
    "look-ahead": (r"'zonk \d+'", r"'zonk(?= \d)'", "zonk", "look-around"),
    "look-behind": (r"'zonk \d+'", r"'(?<=a )zonk'", "zonk", "look-around"),
    "a back-reference": (r"'zonk \d+'", r"'(zonk) \1'", "zonk", "back-references"),
    "a pattern that matches nothing": (r"'zonk \d+'", "'(zonk)?'", "zonk", "empty string"),
    "an empty branch": (r"'zonk \d+'", "'zonk|'", "zonk", "empty string"),
    "an open group": (r"'zonk \d+'", "'(zonk'", "zonk", "not an RE2 expression"),
    "an unknown fragment": ("{{who}}", "{{whom}}", "whom", "unknown fragment {{whom}}; known: who"),
    "an open fragment": ("{{who}}", "{{who", "zip", "never closed"),
    "a fragment that contains itself": (
        'who = "you|they"', 'who = "you|{{who}}"', "zip", "contains itself: who -> who",
    ),
    "fragments that contain each other": (
        'who = "you|they"', 'who = "{{all}}"\nall = "{{who}}"', "zip", "contains itself",
    ),
    "a missing list": ("lists/words.txt", "lists/none.txt", "lists/none.txt", "cannot be read"),
    "a list outside of the folder": ("lists/words.txt", "../../x.txt", "../../x.txt", "outside"),
    "a term that nothing is left of": ('terms = ["zap"]', 'terms = ["zap", "\u200b"]', '["zap"', "made.word"),
    "a label without its name": ('kind = "remove"', 'kind = "label"', "actions", "names its label"),
    "a suspension without its mode": ('kind = "remove"', 'kind = "suspend"', "actions", "names its mode"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "place", "reason"), BAD_POLICY.values(), ids=BAD_POLICY.keys())
def test_a_bad_policy_file_is_refused_with_file_line_and_reason(
    make: MakePack, old: str, new: str, place: str, reason: str
) -> None:
    text = changed(old, new)
    root = make({"violence/policy.toml": text})
    (problem,) = refused(root)
    assert problem.file == root / "violence" / "policy.toml"
    assert problem.line == line_of(text, place)
    assert reason in problem.reason


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("[[ladder]]\nscore = 0.7", "[[ladder]]\nscore = 0.6", "must not be below threshold"),
        ("[[ladder]]\nscore = 0.7", "[[ladder]]\nscore = 0.8", "must equal threshold"),
        ("review = { score = 0.4 }", "review = { score = 0.8 }", "review.score must not be above threshold"),
    ],
)
def test_scores_that_contradict_each_other_are_refused(
    make: MakePack, old: str, new: str, reason: str
) -> None:
    root = make({"violence/policy.toml": changed(old, new)})
    (problem,) = refused(root)
    assert problem.file == root / "violence" / "policy.toml"
    assert reason in problem.reason


def test_all_faults_of_all_files_are_named_at_once(make: MakePack) -> None:
    root = make(
        {
            "pack.toml": 'id = "made-1"\nrules_date = "soon"\ndate = 3\n',
            "violence/policy.toml": changed("version = 1", "version = 0").replace(
                "threshold = 0.7", "limit = 3"
            ),
            "copyright/policy.toml": "= 3",
        }
    )
    problems = {(p.file.relative_to(root).as_posix(), p.line): p.reason for p in refused(root)}
    assert {place for place, _ in problems} == {
        "pack.toml",
        "violence/policy.toml",
        "copyright/policy.toml",
    }
    assert problems["pack.toml", 2].startswith("rules_date")
    assert problems["pack.toml", 3].startswith("date")
    assert problems["violence/policy.toml", 2].startswith("version")
    assert problems["violence/policy.toml", 11].startswith("limit")
    assert problems["violence/policy.toml", None].startswith("threshold: Field required")
    assert problems["copyright/policy.toml", 1].startswith("not valid TOML")


def test_a_bad_term_of_a_list_is_named_with_the_lists_own_line(make: MakePack) -> None:
    root = make({"violence/lists/words.txt": "# a list\nblip\n\u200b\u200d\n"})
    (problem,) = refused(root)
    assert (problem.file, problem.line) == (root / "violence" / "lists" / "words.txt", 3)


def test_a_list_that_is_not_utf8_is_refused(make: MakePack) -> None:
    (problem,) = refused(make({"violence/lists/words.txt": b"caf\xe9\n"}))
    assert "cannot be read" in problem.reason


def test_a_policy_that_is_not_utf8_is_refused(make: MakePack) -> None:
    root = make({"violence/policy.toml": POLICY_TOML.encode("utf-16")})
    (problem,) = refused(root)
    assert (problem.file, problem.reason) == (root / "violence" / "policy.toml", "is not UTF-8")


def test_a_missing_pack_file_is_refused(make: MakePack) -> None:
    root = make({"pack.toml": None})
    (problem,) = refused(root)
    assert problem.file == root / "pack.toml"
    assert "No such file" in problem.reason


@pytest.mark.parametrize("name", ["", "nothing/here"])
def test_a_folder_without_policies_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "pack.toml").write_text(PACK_TOML)
    problems = refused(tmp_path / name)
    assert problems[0].reason.startswith(("holds no policy", "cannot be read"))


def test_a_rule_without_its_policy_is_refused_and_not_passed_over(make: MakePack) -> None:
    root = make({"copyright/rule.py": RULE_PY, "copyright/polcy.toml": POLICY_TOML})
    (problem,) = refused(root)
    assert problem.file == root / "copyright" / "policy.toml"
    assert "missing" in problem.reason


def test_a_folder_must_be_called_as_its_policy(make: MakePack) -> None:
    text = changed('id = "violence"', 'id = "illegal-goods"')
    root = make({"violence/policy.toml": text})
    (problem,) = refused(root)
    assert (problem.file, problem.line) == (root / "violence" / "policy.toml", 1)
    assert "illegal_goods" in problem.reason


def test_two_policies_cannot_have_one_id(make: MakePack) -> None:
    root = make({"violence_two/policy.toml": POLICY_TOML, "violence_two/rule.py": RULE_PY})
    (problem,) = refused(root)
    assert problem.file == root / "violence_two" / "policy.toml"


BAD_RULES = {
    "a syntax error": (changed("        pass", "        pass pass", RULE_PY), 8, "SyntaxError"),
    "an import that fails": ("import nothing_like_it\n" + RULE_PY, 1, "ModuleNotFoundError"),
    "no class Rule": (changed("class Rule", "class Rules", RULE_PY), None, "AttributeError"),
    "a constructor that raises": (
        changed("        pass", "        self.limit = policy.parameters['limit']", RULE_PY), 8, "KeyError",
    ),
    "no needs": (changed("    needs =", "    wants =", RULE_PY), None, "Rule.needs"),
    "needs that are a list": (
        changed('frozenset({"made.word", "made.expression"})', '["made.word"]', RULE_PY), None, "Rule.needs",
    ),
    "needs that are empty": (
        changed('frozenset({"made.word", "made.expression"})', "frozenset()", RULE_PY), None, "Rule.needs",
    ),
    "a gate that is no need": (
        changed("    needs =", '    gate = frozenset({"made.list"})\n    needs =', RULE_PY), None, "Rule.gate",
    ),
    "a gate that never opens": (
        changed("    needs =", "    gate = frozenset()\n    needs =", RULE_PY), None, "Rule.gate",
    ),
    "a signal that nothing measures": (
        changed('"made.word"', '"made.wrod"', RULE_PY), 5, 'needs the signal "made.wrod"',
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "reason"), BAD_RULES.values(), ids=BAD_RULES.keys())
def test_a_bad_rule_is_refused_with_file_line_and_reason(
    make: MakePack, text: str, line: int | None, reason: str
) -> None:
    root = make({"violence/rule.py": text})
    (problem,) = refused(root)
    assert (problem.file, problem.line) == (root / "violence" / "rule.py", line)
    assert reason in problem.reason


def test_a_rule_may_use_dataclasses_as_any_module_may(make: MakePack) -> None:
    head = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    body = "\n\n@dataclass(frozen=True)\nclass Found:\n    names: tuple[str, ...] = ()\n"
    assert load_pack(make({"violence/rule.py": head + RULE_PY + body}), cache_dir=CACHE).policies


def test_two_packs_rules_do_not_share_a_module(
    make: MakePack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = load_pack(make(), cache_dir=CACHE)
    other = tmp_path_factory.mktemp("other")
    for name, content in FILES.items():
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        (other / name).write_text(content)
    (other / "violence" / "rule.py").write_text(RULE_PY + "    mark = 2\n")
    second = load_pack(other, cache_dir=CACHE)
    assert type(first.policies[0].rule) is not type(second.policies[0].rule)
    assert not hasattr(first.policies[0].rule, "mark")


def test_data_alone_is_judged_by_the_rule_that_ships_with_the_worker(make: MakePack) -> None:
    """Without a rule.py the shipped one is taken; it misses its own signals here, and that is what is said."""
    root = make({"violence/rule.py": None})
    assert all(problem.file == root / "violence" / "rule.py" for problem in refused(root))


def test_a_pack_is_named_by_the_content_of_its_files(make: MakePack) -> None:
    first = load_pack(make(), cache_dir=CACHE).sha256
    assert load_pack(make(), cache_dir=CACHE).sha256 == first
    changed_list = load_pack(make({"violence/lists/words.txt": "blip\n"}), cache_dir=CACHE).sha256
    assert changed_list != first
    assert load_pack(make({"violence/notes.txt": ""}), cache_dir=CACHE).sha256 not in {first, changed_list}


def test_policies_stand_in_the_contracts_order(pack: Pack) -> None:
    assert [loaded.policy.id for loaded in pack.policies] == ["violence", "illegal-goods"]


def test_extra_terms_become_signals(make: MakePack) -> None:
    pack = load_pack(make(), cache_dir=CACHE, extra_terms=[("extra.words", ["wibble"])])
    assert "extra.words" in pack.signals.names


def test_a_rule_that_ends_the_process_is_refused_with_its_line(make: MakePack) -> None:
    (problem,) = refused(make({"violence/rule.py": "import sys\n\nsys.exit(3)\n"}))
    assert (problem.file.name, problem.line) == ("rule.py", 3)
    assert "SystemExit: 3" in problem.reason


def test_a_policy_is_chosen_by_its_id_or_its_folder() -> None:
    for name in ("illegal-goods", "illegal_goods"):
        pack = load_pack(only={name}, backend="re2")
        assert [loaded.policy.id for loaded in pack.policies] == ["illegal-goods"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("illegal-good", 'did you mean "illegal-goods"?'), ("zzz", "it holds abuse-harassment, ")],
)
def test_a_policy_that_the_pack_does_not_hold_is_named_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(UnknownPolicyError) as caught:
        load_pack(only={name}, backend="re2")
    assert f'holds no policy "{name}"; {hint}' in str(caught.value)
