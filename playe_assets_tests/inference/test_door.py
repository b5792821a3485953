"""The loading door: real weights come in, planted payloads never run, whatever carries them."""

from __future__ import annotations

import io
import pickle
import zipfile

import numpy as np
import pytest

from playe_assets.core.errors import GovernanceError
from playe_assets.inference.door import onnx_bytes, state_dict
from playe_assets_tests.inference.planted import CARRIERS, PAYLOADS, legacy_checkpoint, zip_checkpoint
from playe_assets_tests.inference.sample_cards import made_card

torch = pytest.importorskip("torch", reason="the door of .pth files is torch's")

PTH = made_card(file="made_up.pth", format="pth")


def saved(value, **how):
    """`value` as torch.save writes it."""
    stream = io.BytesIO()
    torch.save(value, stream, **how)
    return stream.getvalue()


def refusal(data, card=PTH):
    """The error of a file that is refused."""
    with pytest.raises(GovernanceError) as caught:
        state_dict(data, card)
    assert card.name in str(caught.value)
    assert card.file in str(caught.value)
    assert card.file in caught.value.message("ru")
    return caught.value


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_runs_where_a_pickle_is_simply_loaded(payload, tmp_path):
    # Without this the next test would prove nothing.
    marker = tmp_path / "ran"
    raw = PAYLOADS[payload](marker)
    pickle.loads(raw)
    assert marker.exists()


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_planted_payload_is_refused_and_does_not_run(payload, carrier, tmp_path):
    marker = tmp_path / "ran"
    data = CARRIERS[carrier](PAYLOADS[payload](marker))
    problem = refusal(data)
    assert not marker.exists()
    assert problem.code == ("models.old_tar" if carrier == "tar" else "models.unsafe_pickle")


@pytest.mark.parametrize("carrier", ["zip", "legacy"])
def test_the_carriers_are_checkpoints_that_torch_itself_would_open_and_run(carrier, tmp_path):
    marker = tmp_path / "ran"
    data = CARRIERS[carrier](PAYLOADS["os.system by REDUCE"](marker))
    torch.load(io.BytesIO(data), weights_only=False)
    assert marker.exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")  # torch's word on what it then refuses
@pytest.mark.parametrize("payload", PAYLOADS)
def test_torch_s_own_lock_holds_too_where_the_scan_is_taken_away(payload, tmp_path, monkeypatch):
    from playe_assets.inference import pickle_scan

    monkeypatch.setattr(pickle_scan, "refused", lambda _data: [])
    for name, carrier in CARRIERS.items():
        marker = tmp_path / f"ran-{name}"
        refusal(carrier(PAYLOADS[payload](marker)))
        assert not marker.exists()


def test_a_payload_that_another_library_has_declared_safe_is_refused_all_the_same(tmp_path):
    import os

    marker = tmp_path / "ran"
    with torch.serialization.safe_globals([os.system, os.getcwd]):
        problem = refusal(zip_checkpoint(PAYLOADS["os.system by REDUCE"](marker)))
    assert not marker.exists()
    assert "posix.system" in str(problem)


def test_the_refusal_names_what_the_file_wanted_to_call(tmp_path):
    told = {name: str(refusal(zip_checkpoint(make(tmp_path / "ran")))) for name, make in PAYLOADS.items()}
    assert "posix.system" in told["os.system by REDUCE"]
    assert "subprocess.check_output" in told["subprocess by STACK_GLOBAL"]
    assert "torch.serialization.os.system" in told["a dotted name below torch"]
    assert "os.system" in told["INST"]
    assert "types.SimpleNamespace, os.system" in told["BUILD with __setstate__"]
    assert "importlib.import_module" in told["getattr over import_module"]
    assert all("Nothing in it was run" in sentence for sentence in told.values())


def test_a_payload_in_the_second_of_two_entries_of_one_name_is_refused(tmp_path):
    marker = tmp_path / "ran"
    stream = io.BytesIO(saved({"weight": torch.zeros(2)}))
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("archive/data.pkl", PAYLOADS["os.system by REDUCE"](marker))
    assert "two entries" in str(refusal(stream.getvalue()))
    assert not marker.exists()


def test_a_torchscript_archive_is_refused_by_what_it_is():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("net/data.pkl", pickle.dumps({}, protocol=2))
        archive.writestr("net/code/__torch__.py", "op_version_set = 1\n")
        archive.writestr("net/constants.pkl", pickle.dumps((), protocol=2))
    assert refusal(stream.getvalue()).code == "models.torchscript"


def test_a_whole_pickled_module_is_refused():
    assert "torch.nn.modules.linear.Linear" in str(refusal(saved(torch.nn.Linear(2, 2))))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"no weights at all", b"PK\x03\x04 cut", b"\x80", b"\x80\x02.", b"\x00" * 600, b"{}",
        zip_checkpoint(pickle.dumps({"a": 1}, protocol=2))[:-30], legacy_checkpoint(b""),
    ],
    ids=["empty", "text", "cut zip", "one byte", "empty pickle", "zeros", "json", "torn zip", "no object"],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused_in_words(data):
    assert refusal(data).code in ("models.broken_file", "models.unsafe_pickle")


def test_a_numpy_file_of_objects_is_refused(tmp_path):
    import os

    from playe_assets_tests.inference.planted import _Call

    marker = tmp_path / "ran"
    stream = io.BytesIO()
    array = np.empty(1, dtype=object)
    array[0] = _Call(os.system, f"touch {marker}")
    np.save(stream, array, allow_pickle=True)
    refusal(stream.getvalue())
    assert not marker.exists()


def test_an_archive_that_unpacks_to_many_times_its_size_is_refused():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}, protocol=2))
        archive.writestr("archive/data/0", b"\0" * 30_000_000)
    assert "many times its size" in str(refusal(stream.getvalue()))


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("wrapping", [None, "params", "params_ema", "state_dict"])
def test_a_state_dict_comes_out_of_every_wrapping_without_the_word_of_parallel_training(wrapping, new):
    weights = {
        "module.conv.weight": torch.arange(6.0).reshape(2, 3),
        "module.conv.bias": torch.zeros(2, dtype=torch.half),
    }
    data = saved({wrapping: weights, "epoch": 3} if wrapping else weights, _use_new_zipfile_serialization=new)
    state = state_dict(data, PTH)
    assert list(state) == ["conv.weight", "conv.bias"]
    assert torch.equal(state["conv.weight"], weights["module.conv.weight"])
    assert state["conv.bias"].dtype is torch.half


def test_of_two_wrappings_the_averaged_weights_are_taken():
    data = saved({"params": {"w": torch.zeros(1)}, "params_ema": {"w": torch.ones(1)}})
    assert state_dict(data, PTH)["w"].item() == 1


@pytest.mark.parametrize(
    "value", [{}, [torch.zeros(1)], {"epoch": 3}, {1: torch.zeros(1)}, {"state_dict": {"a": "b"}}]
)
def test_a_checkpoint_without_a_dictionary_of_tensors_is_refused(value):
    assert refusal(saved(value)).code == "models.no_state_dict"


def test_safetensors_come_in_and_a_damaged_one_is_refused():
    safetensors = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")
    card = made_card(file="made_up.safetensors", format="safetensors")
    data = safetensors.save({"module.weight": torch.ones(3)})
    assert state_dict(data, card)["weight"].tolist() == [1, 1, 1]
    for spoilt in (data[:-1], data[:20], b"", b"\xff" * 64):
        assert refusal(spoilt, card).code == "models.broken_file"


def test_a_pickle_in_the_name_of_safetensors_is_refused(tmp_path):
    pytest.importorskip("safetensors", reason="safetensors is not installed")
    marker = tmp_path / "ran"
    card = made_card(file="made_up.safetensors", format="safetensors")
    refusal(zip_checkpoint(PAYLOADS["os.system by REDUCE"](marker)), card)
    assert not marker.exists()


def test_a_card_of_another_format_gives_no_state_dict_and_a_checkpoint_of_parameters_does():
    data = saved({"weight": torch.ones(1)})
    assert refusal(data, made_card()).code == "models.not_a_checkpoint"
    assert refusal(data, made_card(file="a.npz", format="data")).code == "models.not_a_checkpoint"
    assert state_dict(data, made_card(file="heads.pth", format="data"))["weight"].item() == 1


REAL = [
    "weights/dncnn/model_zoo/dncnn_25.pth", "weights/iat_lowlight/IAT_enhance/best_Epoch_exposure.pth",
    "weights/iat_lowlight/IAT_enhance/best_Epoch_lol.pth", "weights/iat_lowlight/IAT_enhance/best_Epoch_lol_v1.pth",
    "weights/mtcnn/data/onet.pt", "weights/mtcnn/data/pnet.pt", "weights/mtcnn/data/rnet.pt",
    "weights/ntire2022_esr/model_zoo/team04_rlfn.pth", "weights/realesrgan_compact_pth/realesr-animevideov3.pth",
    "weights/retinaface/weights/mobilenet0.25_Final.pth", "weights/derived/realesr-animevideov3.plain.pth",
    "weights/derived/realesr-general-x4v3.from-ncnn-fp16.pth",
]  # fmt: skip


@pytest.mark.parametrize("path", REAL)
def test_real_weights_of_every_kind_come_in(shared_data, path):
    state = state_dict((shared_data / path).read_bytes(), PTH)
    assert len(state) > 10
    assert all(t.device.type == "cpu" for t in state.values())
    assert not any(k.startswith("module.") for k in state)


def graph(*nodes, initializers=(), domains=("",), functions=()):
    """An ONNX model of `nodes` from x to y, as bytes."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    value = onnx.helper.make_tensor_value_info
    made = onnx.helper.make_graph(
        [onnx.helper.make_node(*n[:3], domain=n[3]) for n in nodes], "g",
        [value("x", 1, [1])], [value("y", 1, [1])], list(initializers),
    )  # fmt: skip
    imports = [onnx.helper.make_opsetid(d, 18) for d in domains]
    return onnx.helper.make_model(
        made, opset_imports=imports, ir_version=8, functions=list(functions)
    ).SerializeToString()


def onnx_refusal(data):
    with pytest.raises(GovernanceError) as caught:
        onnx_bytes(data, made_card())
    return caught.value


def test_a_graph_of_standard_operators_comes_in_as_it_is():
    data = graph(("Relu", ["x"], ["y"], ""))
    assert onnx_bytes(data, made_card()) is data


def external(name="w", location="../../etc/passwd"):
    """A tensor whose values would be read from another file."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    tensor = onnx.TensorProto(name=name, data_type=1, dims=[1], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


def test_a_graph_that_reads_its_weights_from_another_file_is_refused():
    problem = onnx_refusal(graph(("Add", ["x", "w"], ["y"], ""), initializers=[external()]))
    assert problem.code == "models.external_data"
    assert problem.facts["tensors"] == "w"


def test_a_reference_to_another_file_is_found_in_a_branch_of_a_graph():
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    value = onnx.helper.make_tensor_value_info
    inner = onnx.helper.make_graph(
        [onnx.helper.make_node("Constant", [], ["z"], value=external("hidden"))],
        "b",
        [],
        [value("z", 1, [1])],
    )
    node = onnx.helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    outer = onnx.helper.make_graph([node], "g", [value("c", 9, [])], [value("y", 1, [1])])
    problem = onnx_refusal(onnx.helper.make_model(outer).SerializeToString())
    assert problem.facts["tensors"] == "hidden, hidden"


def message(*fields):
    """A protobuf message of (number, bytes or int, bits of the key above 32)."""
    out = b""
    for number, value, high in fields:
        is_bytes = isinstance(value, bytes)
        out += varint(high << 32 | number << 3 | (2 if is_bytes else 0))
        out += varint(len(value)) + value if is_bytes else varint(value)
    return out


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


@pytest.mark.parametrize("high", [0, 1, 7])
def test_a_reference_under_a_key_that_engines_cut_to_32_bits_is_refused(high):
    # OpenVINO dropped the bits above and read the file; taken whole, the key is that of a field nobody knows.
    entry = message((1, b"location", 0), (2, b"secret.bin", 0))
    tensor = message((1, 1, 0), (2, 1, 0), (8, b"w", 0), (13, entry, high), (14, 1, high))
    node = message((1, b"x", 0), (1, b"w", 0), (2, b"y", 0), (4, b"Add", 0))
    data = message((1, 8, 0), (7, message((1, node, 0), (5, tensor, 0)), 0), (8, message((2, 18, 0)), 0))
    assert onnx_refusal(data).code == ("models.broken_file" if high else "models.external_data")


@pytest.mark.parametrize("domain", ["com.microsoft", "com.evil", "ai.onnx.contrib"])
def test_operators_of_a_maker_are_refused(domain):
    problem = onnx_refusal(graph(("Relu", ["x"], ["y"], domain), domains=("", domain)))
    assert problem.code == "models.foreign_operators"
    assert domain in str(problem)


def test_functions_of_a_model_s_own_are_refused():
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    body = [onnx.helper.make_node("Relu", ["a"], ["b"])]
    function = onnx.helper.make_function("mine", "F", ["a"], ["b"], body, [onnx.helper.make_opsetid("", 18)])
    data = graph(("F", ["x"], ["y"], "mine"), domains=("", "mine"), functions=[function])
    assert onnx_refusal(data).code == "models.foreign_operators"


@pytest.mark.parametrize(
    "data",
    [b"", b"no graph", b"\x80\x02.", b"\x00" * 64, b"\xff" * 64, b"\x3a\x05abc", b"\x08\x08", b"PK\x03\x04"],
)
def test_what_is_no_graph_is_refused(data):
    assert onnx_refusal(data).code == "models.broken_file"


def test_a_graph_that_the_standard_s_checker_rejects_is_refused():
    assert "NoSuchOperator" in str(onnx_refusal(graph(("NoSuchOperator", ["x"], ["y"], ""))))


def test_every_cut_of_a_graph_is_refused_or_harmless_and_none_is_an_accident():
    data = graph(("Relu", ["x"], ["y"], ""))
    for size in range(len(data)):
        with pytest.raises(GovernanceError):
            onnx_bytes(data[:size], made_card())


@pytest.mark.parametrize(
    "path",
    ["weights/yunet/onnx/yunet_n_dynamic.onnx", "weights/yunet/onnx/yunet_s_640_640.onnx",
     "weights/ultraface/models/onnx/version-RFB-320.onnx",
     "weights/fastestdet/example/onnx-runtime/FastestDet.onnx"],
)  # fmt: skip
def test_real_graphs_come_in(shared_data, path):
    data = (shared_data / path).read_bytes()
    assert onnx_bytes(data, made_card()) is data
