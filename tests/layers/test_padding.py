import pytest

from desertseg.layers.padding import output_size, pad_amounts


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "expected"),
    # torch.nn.Conv2d's documented output size, worked out by hand.
    [(8, 3, 2, 1, 4), (7, 3, 2, 1, 4), (9, 7, 2, 1, 5), (5, 3, 1, 6, 5), (1, 3, 2, 1, 1), (6, 1, 2, 1, 3)],
)
def test_output_size(size, kernel, stride, dilation, expected):
    args = (kernel, kernel), (stride, stride), (dilation, dilation)
    assert output_size((size, None), *args) == (expected, None)


def test_padding_is_symmetric_and_grows_with_dilation():
    assert pad_amounts((3, 7), (6, 1)) == (6, 3)
