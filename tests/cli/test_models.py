from __future__ import annotations

import json

import keras
import pytest
from click.testing import CliRunner, Result
from desertseg.cli.main import group

from desertseg.models.catalogue import NETWORKS


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["models", *arguments])


def test_the_list_has_every_network_with_its_cost() -> None:
    lines = run().output.splitlines()
    assert [line.split()[0] for line in lines[2:] if line][: len(NETWORKS)] == list(NETWORKS)
    row = next(line for line in lines if line.startswith("deeplabv3plus_resnet50 "))
    assert row.split()[1:5] == ["resnet50", "26.74", "M", "131.7"]
    assert "imagenet_v2" in row


def test_json_can_be_read_by_programs() -> None:
    rows = json.loads(run("--json").output)
    assert len(rows) == len(NETWORKS)
    assert rows[0]["cost"]["parameters"] > 1e6


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="operations are counted by tracing with JAX")
def test_one_network_in_detail() -> None:
    result = run("lraspp", "--size", "64x96")
    assert result.exit_code == 0, result.output
    assert "an image of 64x96" in result.output
    assert "lraspp_mobilenet_v3_large-d234d4ea.pth" in result.output
    assert result.output.splitlines()[-1].startswith("Train it: desertseg fit --model lraspp")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["segformer_b6"], "did you mean 'segformer_b5'"),
        (["deeplabv3", "--backbone", "resnet"], "no backbone 'resnet'"),
        (["--size", "64x96"], "need the NAME"),
    ],
)
def test_wrong_names_are_answered(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output
