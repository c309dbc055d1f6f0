"""A body is restored to the byte from the one before it and a patch, and the patch is small where little changed."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from warehouse.patches import apply_patch, make_patch

entries = st.sampled_from(
    [b'{"serial":1,"name":"a"}', b'{"serial":22,"name":"a"}', b'{"serial":22,"name":"bb"}', b",", b"\n", b"x", b"}}", b"{"]
)
bodies = st.lists(entries, max_size=40).map(b"".join) | st.binary(max_size=60)


@given(old=bodies, new=bodies)
@example(old=b"", new=b"}")
@example(old=b"aaaaaaaaaaaa}", new=b"aaaaaaaaaaaaaaaaaaaa}")
def test_any_body_comes_back(old: bytes, new: bytes) -> None:
    """Whatever the two have in common, down to nothing."""
    assert apply_patch(old, make_patch(old, new)) == new


def test_little_that_changed_is_little() -> None:
    """Of entries whose serial moved only the serial is told; what is new, gone or has moved elsewhere costs itself."""
    names = [f"project-{number:05}" for number in range(2_000)]
    old = b"".join(b'{"_last-serial":%d,"name":"%s"},\n' % (1_000_000 + 7 * n, name.encode()) for n, name in enumerate(names))
    new = (
        old.replace(b"1000700,", b"9000001,")
        .replace(b"1000707,", b"9000002,")
        .replace(b'{"_last-serial":1003500,"name":"project-00500"},\n', b"")
    )
    patch = make_patch(old, new + b'{"_last-serial":9000003,"name":"project-new"},\n')
    assert len(patch) < 200
    assert b"project-00100" not in patch
    assert apply_patch(old, patch).endswith(b'project-new"},\n')


def test_a_patch_of_another_body_is_refused() -> None:
    """It would give bytes nobody sent."""
    patch = make_patch(b"{a}{b}{c}" * 10, b"{a}{b}{c}" * 9)
    with pytest.raises(ValueError, match="another body"):
        apply_patch(b"{a}", patch)
