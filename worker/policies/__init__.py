"""One folder is one policy: `policy.toml` (judgement), `rule.py` (method), `cases.toml` (proof)."""
