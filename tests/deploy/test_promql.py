"""The reader of queries that the other tests here rely on."""

from __future__ import annotations

import pytest

from tests.deploy.promql import Selector, read


def test_metrics_matchers_and_grouping_are_found() -> None:
    query = read(
        'histogram_quantile(0.99, sum by (job, le) (rate(a_bucket{job="$job", instance=~"a,}b"}[5m]))) > 1 '
        "and on (job) b_total or vector(0)"
    )
    assert query.selectors == (
        Selector("a_bucket", (("job", "=", "$job"), ("instance", "=~", "a,}b"))),
        Selector("b_total", ()),
    )
    assert query.grouping == {"job", "le"}


def test_functions_aggregations_and_grafana_ranges_are_no_metrics() -> None:
    query = read("sum(rate(x[$__rate_interval])) without (instance) - time() + count by (a) (y offset 5m)")
    assert [selector.metric for selector in query.selectors] == ["x", "y"]
    assert query.grouping == {"instance", "a"}


@pytest.mark.parametrize("expression", ["sum(x", "x ; y", 'x{a="b}'])
def test_what_is_no_query_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"PromQL|parentheses"):
        read(expression)
