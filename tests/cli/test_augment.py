"""desertseg augment"""

from click.testing import CliRunner
from desertseg.cli.augment import augment


def test_it_says_what_it_wrote_and_what_to_run_next(tiny_desert, tmp_path):
    out = tmp_path / "sheet.png"
    options = ["--data", str(tiny_desert), "--out", str(out), "--frames", "1", "--variants", "1"]
    done = CliRunner().invoke(augment, [*options, "--set", "data.size=[32, 64]"], catch_exceptions=False)
    assert done.exit_code == 0
    assert f"Wrote {out}: 1 frame, 1 augmented of each." in done.output
    assert f"desertseg fit --set 'data.size=[32, 64]' --data {tiny_desert}" in done.output
    assert out.stat().st_size > 1000
