"""C2PA manifests on exported derivatives, read back by the library itself; nothing encoded again, nothing leaked."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import random
import shutil
import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace

import av
import numpy as np
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from PIL import Image

from playe_assets.cli import playe
from playe_assets.core.errors import CommandError, IntegrityError, TransientError
from playe_assets.core.texts import LANGUAGES
from playe_assets.enhancers import ENHANCERS
from playe_assets.exporters.content_credentials import INDEX, ContentCredentials, signing_key
from playe_assets.exporters.credentials_actions import (
    ACTIONS,
    ASSERTION,
    SOURCE_TYPES,
    actions,
    definition,
    named_by,
)
from playe_assets.exporters.credentials_library import (
    EMBEDDED,
    _info,
    _settings,
    check_signer,
    read_credentials,
    sign_file,
)
from playe_assets.exporters.exchange import EXCHANGES, Given, Signing
from playe_assets.exporters.signer import load_signer
from playe_assets.fusers import FUSERS
from playe_assets_tests import time_stamping
from playe_assets_tests.exporters.authority import authority, signer
from playe_assets_tests.plugins import scene

pytest.importorskip("c2pa", reason="c2pa-python comes with the extra `exchange`")

MAIL = (ExtendedKeyUsageOID.EMAIL_PROTECTION,)
DOCUMENTS = ObjectIdentifier("1.3.6.1.5.5.7.3.36")
C2PA_SIGNING = ObjectIdentifier("1.3.6.1.4.1.62558.2.1")


@dataclass(frozen=True)
class Keys:
    """A signing key in files, and the root that it leads to."""

    signing: Signing
    root: bytes


def _keys(folder, **leaf):
    above = authority()
    files = signer(above, **{"extended": MAIL, **leaf}).write(folder)
    (folder / "root.pem").write_bytes(above.pem)
    signing = Signing(str(files.key), str(files.certificates), trust_roots=str(folder / "root.pem"))
    return Keys(signing, above.pem)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return _keys(tmp_path_factory.mktemp("keys"))


def _given(examined, signing):
    folder = examined.laboratory.case(examined.case_id)
    (path,) = folder.root.glob("reports/*-R01/report.json")
    raw = path.read_bytes()
    return Given(json.loads(raw), {"report.json": hashlib.sha256(raw).hexdigest()}, folder.store, signing)


@pytest.fixture(scope="module")
def given(examined, keys):
    return _given(examined, keys.signing)


@pytest.fixture(scope="module")
def exported(given, tmp_path_factory):
    """The export of the mixed case."""
    out = tmp_path_factory.mktemp("exported")
    ContentCredentials().write(given, out)
    return out / "MIXED-1-R01-c2pa"


def _index(exported):
    return json.loads((exported / INDEX).read_bytes())


def _of(given, **wanted):
    found = given.report["findings"]["derivatives"]
    return next(d for d in found if all(d[k] == v for k, v in wanted.items()))


def _read(path, kind, root, sidecar=None):
    return read_credentials(path, kind, sidecar.read_bytes() if sidecar else None, root)


KINDS = {"photo": "image/png", "proxy": "video/mp4", "master": "video/x-matroska"}


@pytest.mark.parametrize("kind", KINDS)
def test_an_exported_file_reads_back_trusted_and_without_roots_valid(exported, given, keys, kind):
    item = next(i for i in _index(exported)["items"] if i["kind"] == kind)
    path, beside = exported / item["file"], item["sidecar"] and exported / item["sidecar"]
    assert (beside is None) is (KINDS[kind] in EMBEDDED)
    found = _read(path, KINDS[kind], keys.root, beside)
    assert (found.state, found.problems, found.signer) == ("trusted", (), "Olga Examiner, Test Laboratory")
    assert (item["state"], item["manifest"]) == ("trusted", found.label)
    assert _read(path, KINDS[kind], None, beside).state == "valid"
    assert _read(path, KINDS[kind], authority().pem, beside).problems == ("signingCredential.untrusted",)


@pytest.mark.parametrize("kind", KINDS)
def test_one_changed_byte_of_the_picture_is_found_wherever_it_lies(exported, keys, tmp_path, kind):
    item = next(i for i in _index(exported)["items"] if i["kind"] == kind)
    data = (exported / item["file"]).read_bytes()
    beside = item["sidecar"] and exported / item["sidecar"]
    start = {"photo": data.find(b"IDAT"), "proxy": data.find(b"moov"), "master": 0}[kind]
    places = [start + 4, len(data) - 1, *random.Random(7).sample(range(start + 4, len(data)), 30)]
    for place in places:
        spoilt = bytearray(data)
        spoilt[place] ^= 0x01
        path = tmp_path / "spoilt"
        path.write_bytes(spoilt)
        assert _read(path, KINDS[kind], keys.root, beside).state in ("invalid", "unreadable"), place


def test_a_changed_word_of_the_manifest_is_found(exported, keys, tmp_path):
    item = next(i for i in _index(exported)["items"] if i["kind"] == "photo")
    data = (exported / item["file"]).read_bytes()
    for word, other in ((b"local_contrast", b"local_contrasX"), (b"forensic_safe", b"forensic_sufe")):
        assert word in data
        (tmp_path / "spoilt.png").write_bytes(data.replace(word, other))
        assert _read(tmp_path / "spoilt.png", "image/png", keys.root).state == "invalid"
    sidecar = tmp_path / "other.c2pa"
    master = next(i for i in _index(exported)["items"] if i["kind"] == "master")
    sidecar.write_bytes(
        (exported / master["sidecar"]).read_bytes().replace(b"forensic_safe", b"forensic_sufe")
    )
    assert _read(exported / master["file"], "video/x-matroska", keys.root, sidecar).state == "invalid"


def test_a_sidecar_of_another_file_does_not_pass(exported, keys):
    master = next(i for i in _index(exported)["items"] if i["kind"] == "master")
    found = _read(exported / "D003.mp4", "video/x-matroska", keys.root, exported / master["sidecar"])
    assert found.state == "invalid"
    assert "assertion.dataHash.mismatch" in found.problems


def test_samples_are_those_of_the_derivative_and_nothing_is_encoded_again(exported, given):
    for item in _index(exported)["items"]:
        source = given.objects.path(item["derivative_sha256"])
        path = exported / item["file"]
        if item["kind"] == "photo":
            with Image.open(path) as made, Image.open(io.BytesIO(source.read_bytes())) as kept:
                assert np.array_equal(np.asarray(made), np.asarray(kept))
        elif item["kind"] == "proxy":
            assert _packets(path) == _packets(source)
        else:
            assert path.read_bytes() == source.read_bytes()


def _packets(path):
    with av.open(str(path), format="mp4") as container:
        return [(p.pts, p.dts, bytes(p)) for p in container.demux() if p.size]


def test_a_jpeg_carries_its_manifest_inside_and_decodes_to_the_same_samples(given, keys, tmp_path):
    path, goal = tmp_path / "a.jpg", tmp_path / "b.jpg"
    Image.fromarray(scene(64, 96, seed=4)).save(path, "JPEG", quality=90)
    photo = {**_of(given, kind="photo"), "media_type": "image/jpeg", "suffix": ".jpg"}
    key, algorithm = signing_key(keys.signing)
    sign_file(path, goal, "image/jpeg", definition(given.report, "0" * 64, photo), key, algorithm)
    assert _read(goal, "image/jpeg", keys.root).state == "trusted"
    with Image.open(path) as kept, Image.open(goal) as made:
        assert np.array_equal(np.asarray(made), np.asarray(kept))
    data = bytearray(goal.read_bytes())
    for place in random.Random(3).sample(range(data.find(b"\xff\xda") + 12, len(data)), 20):
        spoilt = bytearray(data)
        spoilt[place] ^= 0x10
        (tmp_path / "c.jpg").write_bytes(spoilt)
        assert _read(tmp_path / "c.jpg", "image/jpeg", keys.root).state == "invalid"


def test_the_evidence_store_is_left_as_it_was(examined, keys, tmp_path):
    objects = examined.laboratory.case(examined.case_id).root / "objects"
    before = {
        p: (p.stat().st_mtime_ns, p.stat().st_mode, p.read_bytes()) for p in objects.rglob("*") if p.is_file()
    }
    ContentCredentials().write(_given(examined, keys.signing), tmp_path)
    assert before == {
        p: (p.stat().st_mtime_ns, p.stat().st_mode, p.read_bytes()) for p in objects.rglob("*") if p.is_file()
    }


def test_there_is_an_action_for_each_step_in_order_with_parameters_and_agent(exported, given, keys):
    for item in _index(exported)["items"]:
        beside = item["sidecar"] and exported / item["sidecar"]
        manifest = _read(exported / item["file"], KINDS[item["kind"]], keys.root, beside).manifest
        (stated,) = [a for a in manifest["assertions"] if a["label"] == "c2pa.actions.v2"]
        made = stated["data"]["actions"]
        (entry,) = [s for s in given.report["findings"]["steps"] if s["exhibit"] == item["exhibit"]]
        assert [a["action"] for a in made] == [
            "c2pa.opened", *(ACTIONS[s["use"]] for s in entry["steps"]), "c2pa.transcoded"]  # fmt: skip
        for action, step in zip(made[1:-1], entry["steps"], strict=True):
            assert action["parameters"]["local.playe.params"] == step["params"]
            assert action["softwareAgent"] == {"name": f"PLAYE {step['use']}", "version": step["version"]}
            assert action["digitalSourceType"] == SOURCE_TYPES[step["ai_class"]]
            assert action["when"].endswith("Z")
        assert stated["data"]["allActionsIncluded"] is True


def test_the_parent_is_the_exhibit_named_by_its_hash_and_shows_no_picture_of_it(exported, given, keys):
    manifest = _read(exported / "D001.png", "image/png", keys.root).manifest
    exhibit = given.report["findings"]["exhibits"][0]
    (parent,) = manifest["ingredients"]
    assert (parent["relationship"], parent["title"]) == ("parentOf", "E001")
    assert parent["instance_id"] == named_by(exhibit["sha256"])
    assert "thumbnail" not in parent
    assert "thumbnail" not in manifest
    (own,) = [a["data"] for a in manifest["assertions"] if a["label"] == ASSERTION]
    assert own["exhibit"]["sha256"] == exhibit["sha256"]
    assert own["report_sha256"] == given.files["report.json"]
    assert own["examination_id"] == given.report["findings"]["examination_id"]


def test_no_manifest_holds_a_name_of_a_person_a_case_or_a_file(exported):
    names = (b"secret", b"MIXED", b"Mixed", b"Anna", b"Operator", b"Court", b"MakerOfSecrets")
    for path in exported.iterdir():
        if path.name != INDEX:
            found = [name for name in names if name in path.read_bytes()]
            assert not found, path.name


def test_every_step_that_there_is_has_an_action_and_every_class_a_source_type(given):
    assert set(ACTIONS) == {*ENHANCERS.names(), *FUSERS.names()}
    assert SOURCE_TYPES.keys() == {"none", "fidelity", "generative"}
    photo = _of(given, kind="photo")
    report = json.loads(json.dumps(given.report))
    step = report["findings"]["steps"][0]["steps"][1]
    step.update(ai_class="generative", weights={"net.onnx": "ab"})
    made = actions(report, photo)[2]
    assert made["action"] == "c2pa.edited", "what invents detail is an editorial change"
    assert made["digitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert made["parameters"]["local.playe.weights"] == {"net.onnx": "ab"}
    step.update(ai_class="fidelity")
    made = actions(report, photo)[2]
    assert made["action"] == "c2pa.enhanced"
    assert made["digitalSourceType"].endswith("/algorithmicallyEnhanced")
    assert made["parameters"]["local.playe.ai_class"] == "fidelity"


def test_what_the_report_withholds_is_not_exported_and_that_is_said(given, tmp_path):
    report = json.loads(json.dumps(given.report))
    report["sections"]["pictures"]["withheld"] = [
        {"derivative": "D001", "exhibit": "E001", "verdict": None, "reason": None}]  # fmt: skip
    ContentCredentials().write(replace(given, report=report), tmp_path)
    out = tmp_path / "MIXED-1-R01-c2pa"
    assert not (out / "D001.png").exists()
    left_out = {i["derivative"]: i for i in _index(out)["left_out"]}
    assert left_out["D001"]["reason"] == "withheld"
    assert {left_out[n]["reason"] for n in ("D004", "D005")} == {"no_picture"}
    for item in left_out.values():
        assert all(item["derivative"] in item["said"][language] for language in LANGUAGES)


def test_an_altered_object_is_not_signed(examined, keys, tmp_path):
    given = _given(examined, keys.signing)
    store = tmp_path / "case"
    shutil.copytree(given.objects.root, store)
    objects = type(given.objects)(store)
    path = objects.path(_of(given, kind="photo")["sha256"])
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"!")
    with pytest.raises(IntegrityError) as caught:
        ContentCredentials().write(replace(given, objects=objects), tmp_path)
    assert caught.value.code == "store.digest"


@pytest.mark.parametrize(
    ("key", "usage", "name"),
    [
        (lambda: ec.generate_private_key(ec.SECP384R1()), C2PA_SIGNING, "es384"),
        (lambda: ec.generate_private_key(ec.SECP521R1()), DOCUMENTS, "es512"),
        (lambda: rsa.generate_private_key(65537, 2048), MAIL[0], "ps256"),
    ],
)
def test_other_keys_and_usages_sign_with_the_algorithm_that_fits(given, tmp_path, key, usage, name):
    held = _keys(tmp_path / "keys", key=key(), extended=(usage,))
    loaded, algorithm = signing_key(held.signing)
    assert algorithm == name
    source = given.objects.path(_of(given, kind="photo")["sha256"])
    stated = definition(given.report, "0" * 64, _of(given, kind="photo"))
    sign_file(source, tmp_path / "a.png", "image/png", stated, loaded, algorithm)
    assert _read(tmp_path / "a.png", "image/png", held.root).state == "trusted"


def _refused(signing, code):
    with pytest.raises(CommandError) as caught:
        signing_key(signing)
    assert caught.value.code == code
    for language in LANGUAGES:
        assert "{" not in caught.value.message(language)
    return str(caught.value)


def test_without_a_key_it_is_told_what_to_configure():
    assert "signing_key" in _refused(Signing(), "credentials.no_key")


def test_a_certificate_that_may_not_sign_manifests_is_told_before_any_work(tmp_path):
    for number, extended in enumerate([(), (ExtendedKeyUsageOID.SERVER_AUTH,),
                                       (*MAIL, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)]):  # fmt: skip
        said = _refused(
            _keys(tmp_path / str(number), extended=extended).signing, "credentials.extended_usage"
        )
        assert "emailProtection" in said
        assert "certificates.pem" in said
    held = _keys(tmp_path / "usage", usage=("content_commitment",))
    assert "digitalSignature" in _refused(held.signing, "credentials.usage")


def test_a_self_signed_certificate_and_an_unfit_key_are_told(tmp_path):
    alone = authority("Alone")
    own = replace(alone, chain=())
    files = own.write(tmp_path / "alone")
    with pytest.raises(CommandError):
        signing_key(Signing(str(files.key), str(files.certificates)))
    loaded = load_signer(signer(alone, extended=MAIL).write(tmp_path / "fit"))
    self_signed = replace(loaded, certificates=(_asn1(alone.certificate),))
    with pytest.raises(CommandError) as caught:
        check_signer(self_signed, "x.pem")
    assert caught.value.code == "credentials.self_signed"
    odd = signer(alone, key=ed25519.Ed25519PrivateKey.generate(), extended=MAIL)
    assert check_signer(replace(loaded, certificates=(_asn1(odd.certificate),)), "x.pem") == "ed25519"
    curve = signer(alone, key=ec.generate_private_key(ec.SECP256K1()), extended=MAIL)
    with pytest.raises(CommandError) as caught:
        check_signer(replace(loaded, certificates=(_asn1(curve.certificate),)), "x.pem")
    assert caught.value.code == "credentials.algorithm"


def _asn1(certificate):
    from asn1crypto import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    return x509.Certificate.load(certificate.public_bytes(Encoding.DER))


def test_a_time_stamping_authority_that_is_configured_stamps_the_manifest(given, keys, tmp_path):
    with time_stamping.authority(tmp_path) as tsa:
        signing = replace(keys.signing, tsa_url=tsa.url, tsa_roots=str(tsa.roots))
        ContentCredentials().write(replace(given, signing=signing), tmp_path)
        assert len(tsa.asked) == 3
        roots = tsa.roots.read_bytes()
    items = _index(tmp_path / "MIXED-1-R01-c2pa")["items"]
    assert [(i["state"], i["stamp_trusted"]) for i in items] == [("trusted", True)] * 3
    path = tmp_path / "MIXED-1-R01-c2pa" / "D001.png"
    found = _read(path, "image/png", keys.root + roots)
    assert (found.state, found.problems, found.stamp_trusted) == ("trusted", (), True)
    assert found.stamped_utc == items[0]["stamped_utc"] != ""
    assert not _read(path, "image/png", keys.root).stamp_trusted, "its authority was not given"


def test_an_authority_that_does_not_answer_is_told_and_nothing_is_exported(given, keys, tmp_path):
    signing = replace(keys.signing, tsa_url="http://127.0.0.1:9/")
    with pytest.raises(TransientError) as caught:
        ContentCredentials().write(replace(given, signing=signing), tmp_path)
    assert caught.value.code == "credentials.not_signed"
    assert "127.0.0.1:9" in str(caught.value)


@contextmanager
def _server(monkeypatch):
    """An HTTP server that only counts who asks."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            return

    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/manifest.c2pa", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_manifest_elsewhere_is_never_fetched(given, keys, tmp_path, monkeypatch):
    """A file that names a manifest on a server: the library by itself asks there, we never do."""
    import c2pa

    path = tmp_path / "a.png"
    key, algorithm = signing_key(keys.signing)
    source = given.objects.path(_of(given, kind="photo")["sha256"])
    stated = definition(given.report, "0" * 64, _of(given, kind="photo"))
    with _server(monkeypatch) as (url, asked):
        with (
            c2pa.Context.from_dict(_settings(None, "")) as context,
            c2pa.Builder(stated, context) as builder,
            c2pa.Signer.from_info(_info(key, algorithm)) as signing,
            source.open("rb") as taken,
            path.open("w+b") as made,
        ):
            builder.set_no_embed()
            builder.set_remote_url(url)
            builder.sign(signing, "image/png", taken, made)
        assert url.encode() in path.read_bytes()
        assert not _read(path, "image/png", keys.root).whole
        assert asked == []
        with path.open("rb") as file, pytest.raises(c2pa.C2paError), c2pa.Context() as careless:
            c2pa.Reader("image/png", file, context=careless)
        assert asked, "the file is one that the library would have asked for"


WHOLE = (
    "C",
    "CA",
    "CACA",
    "CACAICAICICA",
    "CAI",
    "CAICA",
    "CAICAI",
    "CI",
    "CICA",
    "CICACACA",
    "CIE-sig-CA",
    "CII",
)
BROKEN = {
    "E-dat-CA": "assertion.dataHash.mismatch",
    "E-sig-CA": "claimSignature.mismatch",
    "E-uri-CA": "assertion.hashedURI.mismatch",
    "E-uri-CIE-sig-CA": "assertion.hashedURI.mismatch",
    "E-clm-CAICAI": "assertion.hashedURI.mismatch",
    "XCA": "assertion.dataHash.mismatch",
    "XCI": "assertion.dataHash.mismatch",
}


def test_the_public_test_files_are_judged_as_their_names_say(shared_data):
    """`E-<what>` is broken there, `X` was edited afterwards; `CIE-sig-CA` holds, with an ingredient that did not."""
    folder = shared_data / "peers" / "c2pa_testfiles" / "image" / "jpeg"
    if not folder.is_dir():
        pytest.skip(f"the public C2PA test files are not at {folder}")
    for name in WHOLE:
        found = _read(folder / f"adobe-20220124-{name}.jpg", "image/jpeg", None)
        assert (found.state, set(found.problems)) == ("valid", {"signingCredential.untrusted"}), name
    for name, code in BROKEN.items():
        found = _read(folder / f"adobe-20220124-{name}.jpg", "image/jpeg", None)
        assert found.state == "invalid", name
        assert code in found.problems, name
    for name in ("A", "I"):
        assert _read(folder / f"adobe-20220124-{name}.jpg", "image/jpeg", None).state == "absent", name


def test_the_command_exports_and_records_every_file(examined_copy, keys, tmp_path, monkeypatch):
    assert "c2pa" in EXCHANGES.names()
    monkeypatch.setenv("PLAYE_DATA_ROOT", str(examined_copy.root / "data"))
    (examined_copy.root / "data" / "laboratory.yaml").write_text(
        f"signing_key: {keys.signing.key}\nsigning_certificates: {keys.signing.certificates}\n"
        f"trust_roots: {keys.signing.trust_roots}\n"
    )
    words = ["case", "export", "MIXED-1", "--format", "c2pa", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(playe, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    written = {p for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert {p.name for p in written} == {"D001.png", "D002.mkv", "D002.c2pa", "D003.mp4", INDEX}
    last = examined_copy.log("MIXED-1")[-1]
    assert last["event"] == "custody.exported"
    assert set(last["output_sha256"]) == {hashlib.sha256(p.read_bytes()).hexdigest() for p in written}
