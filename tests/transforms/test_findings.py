from __future__ import annotations

from tests.transforms.answers_as_sent import NOON
from transforms.findings import merge_findings


def test_findings_with_one_key_are_told_together():
    """Two bad facets of one subject at one moment are one row of the table, and no message is lost."""
    finding = {"run_id": "r", "subject": "github:a/b", "code": "invalid_answer", "level": "error", "message": "one", "found_at": NOON}
    other = {**finding, "subject": "github:c/d"}
    merged = merge_findings([finding, {**finding, "message": "two"}, other])
    assert [row["message"] for row in merged] == ["one\ntwo", "one"]
    assert finding["message"] == "one"
