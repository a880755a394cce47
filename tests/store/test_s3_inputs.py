"""Task files, prompts, chains and model folders in object storage, on a real S3 server."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import pytest
from commands import in_process
from s3_servers import BUCKET, seaweedfs

from cotfaith.cluster.plan.models import fingerprint, source_notes, with_revisions
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.schemas.errors import CotfaithError, ModelSourceError, SpecError, StoreError
from cotfaith.schemas.spec import EditorSpec, ModelSpec, TaskSpec, parse_spec
from cotfaith.workers.engines.codec import load_codec
from cotfaith.workers.engines.resolved import resolve_model
from cotfaith.workers.organisms.folder import folder_of
from cotfaith.workers.remote.cache import MANIFEST
from cotfaith.workers.remote.model_folder import ModelFolder, model_folder
from cotfaith.workers.remote.s3_objects import Objects
from cotfaith.workers.roles.editors.prompt import find_prompt
from cotfaith.workers.tasks import load_task

LINES = "".join(json.dumps({"q": f"{n} + 1?", "g": str(n + 1)}) + "\n" for n in range(5))
FIELDS = {"question": "q", "gold": "g"}
NAMES = {
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "card.json",
}
FETCH = """
import json, sys, time
from cotfaith.workers.remote import s3_objects
from cotfaith.workers.remote.model_folder import model_folder

SLOW, done = float(sys.argv[2]), []
own, transfer_config = s3_objects.Objects.download, s3_objects.transfer_config

def download(self, one, target):
    done.append(one.name)
    return own(self, one, target)

def slow():
    config = transfer_config()
    config.max_bandwidth = SLOW or None
    config.multipart_chunksize = config.multipart_threshold = 1 << 16
    return config

s3_objects.Objects.download, s3_objects.transfer_config = download, slow
place = model_folder(sys.argv[1], "test").whole()
print(json.dumps([str(place), done]))
"""
"""Fetches a model's folder as another process, at most so many bytes a second; prints its place and its downloads."""


@pytest.fixture(scope="module")
def s3():
    with seaweedfs() as server:
        yield server


@pytest.fixture(autouse=True)
def node(s3, tmp_path, monkeypatch):
    """An own cache, and the server's credentials."""
    for name, value in (s3.environment | {"COTFAITH_CACHE": str(tmp_path / "cache")}).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def put(s3, request):
    """A function that writes an object below the test's own prefix, and returns its URL."""

    def write(key, data):
        key = f"{request.node.originalname}/{key}"
        s3.client().put_object(Bucket=BUCKET, Key=key, Body=data.encode() if isinstance(data, str) else data)
        return f"s3://{BUCKET}/{key}"

    return write


@pytest.fixture
def model(put):
    """The URL of an organism's folder, with files that are not to be taken."""
    for path in folder_of("reasoner").iterdir():
        put(f"models/reasoner/{path.name}", path.read_bytes())
    for name in ("pytorch_model.bin", "modeling.py", "original/consolidated.pth", "original/config.json"):
        put(f"models/reasoner/{name}", "not to be taken")
    return put("models/reasoner/.gitattributes", "").rpartition("/")[0]


def mine(file, **keys):
    return TaskSpec.model_validate({"name": "t", "file": file, "fields": FIELDS} | keys)


def folder(url, revision=None):
    found = model_folder(url, "models.m.source", revision)
    assert isinstance(found, ModelFolder)
    return found


def resolved(source, **keys):
    return resolve_model(ModelSpec(id="m", source=str(source), **keys))


def test_a_task_is_its_items_wherever_they_are(put, tmp_path):
    (tmp_path / "mine.jsonl").write_text(LINES)
    url = put("data/mine.jsonl", LINES)

    def plan(file):
        spec = {"models": [{"id": "m", "engine": "stub"}], "output": {"path": str(tmp_path / "run")}}
        return make_plan(parse_spec(spec | {"tasks": [mine(file).model_dump()]}))

    assert plan(url).items == plan(str(tmp_path / "mine.jsonl")).items


def test_a_file_is_downloaded_when_it_changes(put, monkeypatch):
    count = Counter()
    own = Objects.download
    monkeypatch.setattr(Objects, "download", lambda self, one, to: count.update([one.name]) or own(self, one, to))
    url = put("räume/mine +%20&.jsonl", LINES)
    assert [len(load_task(mine(url), 0)) for _ in range(3)] == [5, 5, 5]
    assert count.total() == 1
    put("räume/mine +%20&.jsonl", LINES + '{"q": "9 + 9?", "g": "18"}')
    assert len(load_task(mine(url), 0)) == 6
    assert count.total() == 2


def test_messages_name_the_address_and_not_the_copy(put):
    url = put("broken.jsonl", LINES + "{")
    with pytest.raises(CotfaithError) as error:
        load_task(mine(url), 0)
    assert str(error.value).startswith(f"{url}, line 6: not JSON")
    url = put("no-gold.csv", "q,g\nwhat?,\n")
    with pytest.raises(CotfaithError) as error:
        load_task(mine(url), 0)
    assert str(error.value).startswith(f"{url}, record 0")


def test_chains_are_imported(put, tmp_path):
    row = {"question": "1 + 1?", "cot": "One and one.\nTwo.", "answer": "2", "gold": "2"}
    done = in_process("import", put("chains.jsonl", json.dumps(row)), "--out", tmp_path / "chains.jsonl")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "chains.jsonl").read_text())["gold"] == "2"
    done = in_process("import", f"s3://{BUCKET}/nowhere.jsonl", "--out", tmp_path / "more.jsonl")
    assert done.returncode == 2
    assert "There is no object 'nowhere.jsonl'" in done.stderr


def test_an_editors_prompt_is_read(put):
    text = "Write it with a mistake.\n\nStep: {step}\nWith a mistake:"
    assert find_prompt("mistake", EditorSpec(mistake_prompt=put("p.txt", text))).text == text
    with pytest.raises(SpecError, match=r"editor.mistake_prompt: .*There is no object 'q.txt'. Did you mean 'p.txt'"):
        find_prompt("mistake", EditorSpec(mistake_prompt=put("p.txt", text).replace("p.txt", "q.txt")))


REFUSED = {
    "no bucket": ("s3://no-such-bucket/f.jsonl", {}, ["no such bucket"]),
    "no object": ("{folder}/mnie.jsonl", {}, ["There is no object 'mnie.jsonl'", "Did you mean 'mine.jsonl'"]),
    "a folder": ("{folder}", {}, ["There is no object"]),
    "a folder with a slash": ("{folder}/", {}, ["There is no object"]),
    "an unknown key": ("{file}", {"AWS_ACCESS_KEY_ID": "AKIANOBODY"}, ["does not accept the AWS credentials"]),
    "a wrong secret": ("{file}", {"AWS_SECRET_ACCESS_KEY": "wrong"}, ["does not accept the AWS credentials"]),
    "no credentials": (
        "{file}",
        {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
        ["no complete AWS credentials"],
    ),
    "a password": ("s3://KEY:hunter2@bucket/f.jsonl", {}, ["user or a password"]),
    "a token": ("hf://me:hunter2@datasets/a/b/f.jsonl", {}, ["a user or a token"]),
    "a signature": ("https://me:hunter2@host/f.jsonl?sig=hunter2", {}, ["https:// addresses are not supported"]),
    "another store": ("gs://bucket/hunter2.jsonl", {}, ["gs:// addresses are not supported", "s3://bucket/key"]),
    "one slash": ("s3:/bucket/f.jsonl", {}, ["begins with s3://"]),
    "a bucket that cannot be": ("s3://B_/f.jsonl", {}, ["cannot be a bucket's name"]),
    "a key that cannot be": ("s3://bucket/" + "k" * 1100, {}, ["1,024 bytes"]),
    "a model": ("hf://owner/name", {}, ["hf://datasets/owner/name"]),
    "a file too large": ("{file}", {"COTFAITH_MAX_FILE_GIB": str(64 / 2**30)}, ["at most", "Split it"]),
    "a split": ("{file}", {"split": "test"}, ["only a dataset", "Remove split"]),
}


@pytest.mark.parametrize(("url", "change", "expected"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(put, tmp_path, monkeypatch, url, change, expected):
    file = put("data/mine.jsonl", LINES)
    keys = dict(change)
    for name in [name for name in keys if name.startswith(("AWS", "COTFAITH"))]:
        monkeypatch.setenv(name, keys.pop(name))
    with pytest.raises(SpecError) as error:
        load_task(mine(url.format(file=file, folder=file.rpartition("/")[0]), **keys), 0)
    said = str(error.value)
    assert said.startswith("task 't': ")
    for text in expected:
        assert text in said
    assert "hunter2" not in said
    assert not list((tmp_path / "cache").rglob("*.jsonl")), "nothing was downloaded"


def test_a_server_that_is_not_there(put, monkeypatch):
    url = put("data/mine.jsonl", LINES)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setattr("cotfaith.workers.remote.s3_objects._FIRST_PATIENCE_S", 0)
    with pytest.raises(StoreError, match=r"task 't': .*127.0.0.1:9 gave no whole answer"):
        load_task(mine(url), 0)


def test_a_model_is_the_same_here_and_there(model):
    local = folder_of("reasoner")
    assert fingerprint(resolved(model)) == fingerprint(resolved(local))
    there, here = load_codec(ModelSpec(id="m", source=model)), load_codec(ModelSpec(id="m", source=str(local)))
    assert there.encode("2 + 3 = 5") == here.encode("2 + 3 = 5")
    whole = folder(model).whole()
    assert {path.name for path in whole.iterdir()} == NAMES | {MANIFEST}
    for name in NAMES:
        assert (whole / name).read_bytes() == (local / name).read_bytes()
    assert set(json.loads((whole / MANIFEST).read_text())["left_out"]) == {
        ".gitattributes",
        "README.md",
        "modeling.py",
        "original/config.json",
        "original/consolidated.pth",
        "pytorch_model.bin",
    }


def test_a_plan_downloads_no_weights(model, tmp_path):
    spec = {"models": [{"id": "m", "source": model}], "output": {"path": str(tmp_path / "run")}}
    plan = make_plan(parse_spec(spec | {"tasks": [{"name": "t", "generator": "serial_arithmetic", "n": 2}]}))
    assert plan.model("m").source == model
    assert plan.model("m").revision == folder(model).revision
    assert plan.weights["m"] == fingerprint(resolved(folder_of("reasoner")))
    assert any("pytorch_model.bin" in note and "modeling.py" in note for note in plan.notes)
    copied = {path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    assert "tokenizer.json" in copied
    assert "model.safetensors" not in copied


def test_an_engine_loads_it(model):
    from cotfaith.workers.engines.protocol import ScoreRequest
    from cotfaith.workers.engines.transformers.engine import TransformersEngine

    prompt = load_codec(ModelSpec(id="m", source=model)).encode("2 + 3 = 5")
    request = ScoreRequest(prompt, (prompt[:1], prompt[1:2]))
    spec = with_revisions(parse_spec({"models": [{"id": "m", "source": model}], "tasks": [GENERATED]})).models[0]
    there, here = (TransformersEngine(one) for one in (spec, ModelSpec(id="m", source="organism:reasoner")))
    assert there.score([request]) == here.score([request])


GENERATED = {"name": "t", "generator": "addition", "n": 1}


def test_a_changed_model_is_another(model, put, tmp_path):
    first = folder(model)
    old, mark = first.whole(), fingerprint(resolved(model))
    config = (folder_of("reasoner") / "config.json").read_bytes()
    put("models/reasoner/config.json", config.replace(b'": ', b'" :', 1))  # as long as before
    second = folder(model)
    assert second.revision != first.revision
    assert fingerprint(resolved(model)) != mark
    assert second.whole() != old
    assert folder(model, first.revision).whole() == old, "a copy of the wanted revision is used as it is"
    with pytest.raises(ModelSourceError, match=r"models.m.source: .* changed: .*expected"):
        folder(model, "0" * 32).whole()
    spec = {"tasks": [GENERATED], "models": [{"id": "m", "source": model, "revision": first.revision}]}
    with pytest.raises(ModelSourceError, match=r"models.m.source: .* changed: .*expected"):
        with_revisions(parse_spec(spec))


def test_a_revision_that_is_here_needs_no_server(model, monkeypatch):
    there = folder(model)
    place, revision = there.whole(), there.revision
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    assert folder(model, revision).whole() == place
    assert folder(model, revision).description() == place


def test_a_replaced_object_is_not_taken_for_the_listed_one(model, put):
    found = folder(model)
    assert found.revision
    put("models/reasoner/model.safetensors", "other weights")
    with pytest.raises(StoreError, match="replaced after it was listed"):
        found.read(found.weights[0], 0, 100)
    with pytest.raises(StoreError, match="replaced during the download"):
        found.whole()
    assert len(folder(model).whole().joinpath("model.safetensors").read_bytes()) == len("other weights")


def test_bytes_that_changed_on_the_way_are_noticed(model, monkeypatch):
    def flipped(client, bucket, key, target):
        data = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        target.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))

    monkeypatch.setattr("cotfaith.workers.remote.s3_objects._transfer", flipped)
    with pytest.raises(StoreError, match="not the same ones"):
        folder(model).whole()


def fetching(url, bytes_a_second=0.0):
    line = [sys.executable, "-c", FETCH, url, str(bytes_a_second)]
    return subprocess.Popen(line, env=dict(os.environ), stdout=subprocess.PIPE, text=True)


def fetched(process):
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    place, downloads = json.loads(out)
    return Path(place), downloads


def test_several_processes_download_once(model):
    results = [fetched(process) for process in [fetching(model, 1_000_000) for _ in range(3)]]
    assert len({place for place, _ in results}) == 1
    assert sorted(name for _, downloads in results for name in downloads) == sorted(NAMES)


def test_a_process_that_is_killed_leaves_nothing_half(model, tmp_path):
    process = fetching(model, 250_000)
    models, end = tmp_path / "cache" / "models", time.monotonic() + 60
    while not any(path.stat().st_size > 1 << 16 for path in models.rglob("model.safetensors.half*")):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not list(models.rglob(MANIFEST))
    complete = {path.name for path in models.rglob("*") if path.name in NAMES}
    assert complete, "the killed process had completed some files"
    place, downloads = fetched(fetching(model))
    assert set(downloads) == NAMES - complete
    assert {path.name for path in place.iterdir()} == NAMES | {MANIFEST}
    for name in NAMES:
        assert (place / name).read_bytes() == (folder_of("reasoner") / name).read_bytes()
    assert {path.name for path in place.parent.iterdir()} == {"whole", "whole.lock"}


@pytest.mark.parametrize("damage", ["cut", "gone", "no list"])
def test_a_damaged_copy_is_noticed(model, damage, monkeypatch):
    place = folder(model).whole()
    if damage == "cut":
        os.truncate(place / "model.safetensors", 1000)
    else:
        (place / (MANIFEST if damage == "no list" else "config.json")).unlink()
    count = Counter()
    own = Objects.download
    monkeypatch.setattr(Objects, "download", lambda self, one, to: count.update([one.name]) or own(self, one, to))
    with pytest.warns(UserWarning, match="It is downloaded again"):
        assert folder(model).whole() == place
    for name in NAMES:
        assert (place / name).read_bytes() == (folder_of("reasoner") / name).read_bytes()
    wanted = {"cut": {"model.safetensors": 1}, "gone": {"config.json": 1}, "no list": {}}
    assert dict(count) == wanted[damage], "only what is damaged is downloaded"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert folder(model).whole() == place


SOURCES = {
    "no folder": ("{parent}/reasonre", {}, ["There is no folder 'reasonre/'", "Did you mean 'reasoner/'"]),
    "no bucket": ("s3://no-such-bucket/m", {}, ["no such bucket"]),
    "no weights": (
        "{parent}/reasoner/original",
        {},
        ["has no safetensors file", "consolidated.pth"],
    ),
    "a dataset": ("hf://datasets/a/b", {}, ["is a dataset", "owner/name"]),
    "another store": ("gs://bucket/m", {}, ["gs:// addresses are not supported", "s3://bucket/prefix"]),
    "a password": ("s3://me:hunter2@bucket/m", {}, ["a user or a password"]),
    "code": (
        "{parent}/reasoner",
        {"trust_remote_code": True},
        ["m.trust_remote_code", "code is not downloaded"],
    ),
}


@pytest.mark.parametrize(("source", "keys", "expected"), SOURCES.values(), ids=SOURCES)
def test_a_models_source_that_is_refused(model, tmp_path, source, keys, expected):
    one = {"id": "m", "source": source.format(parent=model.rpartition("/")[0])} | keys
    with pytest.raises((SpecError, ModelSourceError)) as error:
        make_plan(parse_spec({"models": [one], "tasks": [GENERATED], "output": {"path": str(tmp_path / "run")}}))
    said = str(error.value)
    assert said.startswith("models.m.")
    for text in expected:
        assert text in said
    assert "hunter2" not in said


def full_disk(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_cache_without_room_or_right(model, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
        with pytest.raises(SpecError, match=r"are to be downloaded and 0\.00 GiB are free"):
            folder(model).whole()
    monkeypatch.setattr("cotfaith.workers.remote.s3_objects._transfer", full_disk)
    with pytest.raises(SpecError, match="No space left on device"):
        folder(model).whole()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COTFAITH_CACHE", str(tmp_path / "file"))
    with pytest.raises(SpecError, match="set COTFAITH_CACHE to another folder"):
        folder(model).whole()


def test_notes_name_no_model_of_this_machine():
    local = {"id": "m", "source": "organism:reasoner", "revision": "r"}
    assert source_notes(parse_spec({"models": [local], "tasks": [GENERATED]})) == []
