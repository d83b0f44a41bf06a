"""Published weights by name, from a mirror folder, the cache or a server on this machine; never from the network."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from desertseg.models.errors import ModelError
from desertseg.models.weights.presets import MIRROR, PRESETS, fetch, find_preset, presets_for

CONTENT = bytes(range(256)) * 9000  # more than two chunks
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The folder of the cache, of this test's own; every address is one that nobody answers at."""
    monkeypatch.setenv("DESERTSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(MIRROR, raising=False)
    return tmp_path / "cache" / "weights"


@pytest.fixture
def preset():
    """A preset that nobody serves."""
    real = find_preset("imagenet", model="deeplabv3plus", backbone="resnet50")
    return dataclasses.replace(real, url="http://127.0.0.1:9/models/w.pth", sha256=DIGEST[:8])


@pytest.fixture
def server(preset):
    """Serve CONTENT, cut after `length` bytes, and return the preset that points there."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            self.send_response(404 if "absent" in self.path else 200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[: self.server.length])

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.length = [], len(CONTENT)
    server.handle_error = lambda *_: None  # a client that hangs up is no news here
    server.preset = dataclasses.replace(preset, url=f"http://127.0.0.1:{server.server_port}/models/w.pth")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def refusal(action):
    """Return the message with which an action is refused, which is one line."""
    with pytest.raises(ModelError) as error:
        action()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_every_preset_is_complete():
    assert len({p.file for p in PRESETS}) == len(PRESETS)
    assert len({(p.name, p.model, p.backbone) for p in PRESETS}) == len(PRESETS)
    for preset in PRESETS:
        assert preset.url.startswith("https://")
        assert preset.licence
        assert preset.note
        assert preset.sha256 is None or f"-{preset.sha256}.pth" in preset.url


@pytest.mark.parametrize(
    ("name", "model", "backbone", "file"),
    [
        ("imagenet", "deeplabv3plus", "resnet18", "resnet18-f37072fd.pth"),
        ("imagenet", "deeplabv3", "resnet50", "resnet50-11ad3fa6.pth"),
        ("imagenet_v1", None, "resnet50", "resnet50-0676ba61.pth"),
        ("imagenet", "lraspp", "mobilenetv3_large", "mobilenet_v3_large-5c1a4163.pth"),
        ("coco", "deeplabv3", "resnet101", "deeplabv3_resnet101_coco-586e9e4e.pth"),
        ("coco", "lraspp", "mobilenetv3_large", "lraspp_mobilenet_v3_large-d234d4ea.pth"),
        ("dinov2", "upernet", "dinov2_vitb14_reg", "dinov2_vitb14_reg4_pretrain.pth"),
        ("dinov2", "linear", "dinov2_vitg14", "dinov2_vitg14_pretrain.pth"),
        ("imagenet", "segformer", "mit_b3", "mit-b3.bin"),
        ("ade20k", "segformer", "mit_b5", "segformer-b5-finetuned-ade-640-640.bin"),
    ],
)
def test_names(name, model, backbone, file):
    assert find_preset(name, model=model, backbone=backbone).file == file


def test_licences_are_told():
    assert find_preset("dinov2", model=None, backbone="dinov2_vits14").licence == "Apache-2.0"
    assert "non-commercial" in find_preset("imagenet", model=None, backbone="mit_b0").licence


def test_a_wrong_name_is_answered_with_the_right_ones():
    message = refusal(lambda: find_preset("imagnet", model="deeplabv3plus", backbone="resnet50"))
    assert "no weights 'imagnet' (did you mean 'imagenet'?)" in message
    assert "there are imagenet_v1, imagenet_v2, imagenet" in message
    message = refusal(lambda: find_preset("coco", model="deeplabv3plus", backbone="resnet50"))
    assert "'coco' are of deeplabv3 on resnet50" in message
    assert "not of deeplabv3plus on resnet50; for deeplabv3plus on resnet50 there are imagenet" in message
    assert "none are published for mine" in refusal(lambda: find_preset("imagenet", model=None, backbone="mine"))
    assert set(presets_for("segformer", "mit_b1")) == {"imagenet", "ade20k"}


def test_download_once(server, cache):
    path = fetch(server.preset)
    assert path == cache / server.preset.file
    assert path.read_bytes() == CONTENT
    assert fetch(server.preset) == path
    assert server.asked == ["/models/w.pth"]
    assert [f.name for f in cache.iterdir()] == [server.preset.file]


def test_a_wrong_hash_keeps_nothing(server, cache):
    wrong = dataclasses.replace(server.preset, sha256="00000000")
    message = refusal(lambda: fetch(wrong, progress=False))
    assert f"begins with {DIGEST[:8]}, the publisher's with 00000000" in message
    assert list(cache.iterdir()) == []


def test_a_cut_download_keeps_nothing(server, cache):
    server.length = len(CONTENT) // 2
    message = refusal(lambda: fetch(server.preset, progress=False))
    assert f"ended after {len(CONTENT) // 2:,} of {len(CONTENT):,} bytes" in message
    assert list(cache.iterdir()) == []


def test_an_absent_file(server):
    absent = dataclasses.replace(server.preset, url=server.preset.url.replace("w.pth", "absent"))
    assert "(Not Found)" in refusal(lambda: fetch(absent, progress=False))


def test_without_a_network_the_message_says_what_to_fetch_and_where_to_put_it(preset, cache, monkeypatch, tmp_path):
    message = refusal(lambda: fetch(preset))
    for part in (preset.file, preset.url, str(cache), "DESERTSEG_WEIGHTS", "'imagenet_v2' of resnet50"):
        assert part in message
    monkeypatch.setenv(MIRROR, str(tmp_path / "mirror"))
    assert f"{tmp_path / 'mirror'} (DESERTSEG_WEIGHTS)" in refusal(lambda: fetch(preset))


@pytest.mark.parametrize("place", ["resnet50-11ad3fa6.pth", "models/w.pth"])
def test_a_mirror_folder(place, preset, monkeypatch, tmp_path):
    path = tmp_path / "mirror" / place
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    monkeypatch.setenv(MIRROR, str(tmp_path / "mirror"))
    assert fetch(preset) == path
    path.write_bytes(CONTENT[:-1])
    assert "are damaged or another file" in refusal(lambda: fetch(preset))
    assert path.exists()


@pytest.mark.parametrize(
    "place",
    ["mit-b0.bin", "mit-b0/pytorch_model.bin", "nvidia/mit-b0/model.safetensors", "nvidia/mit-b0/pytorch_model.bin"],
)
def test_a_mirror_of_the_hub(place, monkeypatch, tmp_path):
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    monkeypatch.setenv(MIRROR, str(tmp_path))
    assert fetch(find_preset("imagenet", model="segformer", backbone="mit_b0")) == path
