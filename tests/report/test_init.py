import subprocess
import sys


def test_pages_and_pictures_need_no_keras():
    code = (
        "import sys, desertseg.report, desertseg.report.page, desertseg.report.markdown, desertseg.report.sheet;"
        "desertseg.report.draw_overlay; print(sorted({'keras', 'jax', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_found():
    import desertseg.report

    assert all(callable(getattr(desertseg.report, name)) for name in desertseg.report.__all__)
    assert dir(desertseg.report) == desertseg.report.__all__
