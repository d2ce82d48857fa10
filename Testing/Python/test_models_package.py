"""Model packages: written whole, read with suspicion."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from fixtures_inference import tiny_network, tiny_package

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.models import (
    Channel,
    ModelPackage,
    TrainedMember,
    broken_packages,
    build_network,
    find_package,
    list_packages,
    revise_package,
    write_package,
)

# What MONAI's meta_schema_20240725.json asks of a bundle, in our own words.
_TENSOR = {
    "type": "object",
    "required": ["type", "format", "num_channels", "spatial_shape", "dtype", "value_range"],
    "properties": {
        "type": {"type": "string"},
        "format": {"type": "string"},
        "num_channels": {"type": "integer"},
        "spatial_shape": {"type": "array", "items": {"type": ["string", "integer"]}},
        "dtype": {"type": "string"},
        "value_range": {"type": "array", "items": {"type": "number"}},
        "is_patch_data": {"type": "boolean"},
        "channel_def": {"type": "object"},
    },
}
_TENSORS = {"type": "object", "minProperties": 1, "additionalProperties": _TENSOR}
_STRINGS = ("schema", "version", "monai_version", "pytorch_version", "numpy_version", "task", "description",
            "authors", "copyright")
_TABLES = ("required_packages_version", "optional_packages_version", "network_data_format")
MONAI_SCHEMA = {
    "type": "object",
    "required": [*_STRINGS, *_TABLES],
    "properties": {
        **{name: {"type": "string"} for name in (*_STRINGS, "intended_use")},
        **{name: {"type": "object"} for name in (*_TABLES, "changelog")},
        "network_data_format": {
            "type": "object",
            "required": ["inputs", "outputs"],
            "properties": {"inputs": _TENSORS, "outputs": _TENSORS},
        },
    },
}


@pytest.fixture
def package(tmp_path: Path) -> ModelPackage:
    return tiny_package(tmp_path / "tiny", fingerprint={"modality": "MR"})


def change(package: ModelPackage, **values: object) -> Path:
    """Overwrite entries of package.json behind the package's back."""
    path = package.folder / "configs/package.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    return package.folder


def test_what_was_written_is_read_back(package):
    again = ModelPackage.load(package.folder)
    assert again == package
    assert again.id == "tiny"
    assert again.channels == (Channel("FLAIR"),)
    assert [member.spacing_mm for member in again.members] == [(3.0, 3.0, 3.0)] * 2
    assert again.verify() == []


def test_metadata_is_valid_for_monai(package):
    metadata = json.loads((package.folder / "configs/metadata.json").read_text())
    jsonschema.validate(metadata, MONAI_SCHEMA)
    assert metadata["network_data_format"]["inputs"]["image"]["channel_def"] == {"0": "FLAIR"}
    assert metadata["network_data_format"]["outputs"]["pred"]["num_channels"] == 2


def test_monai_builds_the_networks_from_the_inference_configuration(package):
    import torch
    from monai.bundle import ConfigParser

    parser = ConfigParser()
    parser.read_config(str(package.folder / "configs/inference.json"))
    parser["bundle_root"] = str(package.folder)
    networks = parser.get_parsed_content("networks")
    image = torch.rand(1, 1, 32, 32, 32)
    with torch.inference_mode():
        for network, member in zip(networks, package.members, strict=True):
            torch.testing.assert_close(network(image), package.load_network(member)(image))
    assert parser.get_parsed_content("inferer").overlap == 0.25


def test_weights_are_stored_as_float16_and_loaded_as_float32(package):
    import torch
    from safetensors.numpy import load_file

    stored = load_file(package.folder / package.members[0].weights)
    assert {array.dtype for array in stored.values()} == {np.dtype(np.float16)}
    network = package.load_network(package.members[0])
    assert not network.training
    assert {value.dtype for value in network.parameters()} == {torch.float32}
    key = "final_conv.weight"
    np.testing.assert_array_equal(network.state_dict()[key].numpy(), stored[key].astype(np.float32))


def test_every_file_carries_its_hash_and_the_packages_hash_covers_all(package):
    before = package.sha256
    weights = {"models/member-0.safetensors", "models/member-1.safetensors"}
    texts = {"configs/metadata.json", "configs/inference.json", "docs/README.md", "LICENSE"}
    assert set(package.files) == weights | texts
    (package.folder / "docs/README.md").write_text("changed")
    assert package.verify() == ["docs/README.md does not match its sha256"]
    revised = revise_package(package.folder, calibration={"temperature": 1.7})
    assert revised.sha256 != before


def test_a_changed_weight_is_found_and_not_loaded(package):
    path = package.folder / "models/member-1.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    assert package.verify() == ["models/member-1.safetensors does not match its sha256"]
    package.load_network(package.members[0])
    with pytest.raises(UnusableInput, match=r"member-1\.safetensors does not match its sha256"):
        package.load_network(package.members[1])


def test_a_missing_weight_is_found(package):
    (package.folder / "models/member-0.safetensors").unlink()
    assert package.verify() == ["models/member-0.safetensors is missing"]
    with pytest.raises(UnusableInput, match="cannot be read"):
        package.load_network(package.members[0])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"schema": "tumorsegrobust-package/9"}, "schema 'tumorsegrobust-package/9'"),
        ({"members": []}, "lists no member"),
        ({"channels": []}, "lists no channel"),
        ({"channels": [{"nom": "T1c"}]}, "incomplete"),
        ({"members": [{"name": "x"}]}, "'spacing_mm' is missing"),
        ({"files": {"../elsewhere": "00"}}, "lies outside the package"),
        ({"outputs": 3}, "incomplete"),
    ],
)
def test_a_description_that_cannot_be_used_is_refused_in_one_line(package, changes, reason):
    folder = change(package, **changes)
    with pytest.raises(UnusableInput, match=reason) as caught:
        ModelPackage.load(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("network", {"name": "os.system", "args": {}}, "'os.system' is not one of"),
        ("network", {"name": "BasicUNet"}, "no table of arguments"),
        ("spacing_mm", [0.0, 1.0, 1.0], "outside 0.1 to 20 mm"),
        ("weight", 0.0, "not positive"),
        ("weights", "/etc/passwd", "lies outside the package"),
    ],
)
def test_a_member_that_cannot_be_used_is_refused(package, field, value, reason):
    path = package.folder / "configs/package.json"
    members = json.loads(path.read_text())["members"]
    folder = change(package, members=[{**members[0], field: value}])
    with pytest.raises(UnusableInput, match=reason):
        ModelPackage.load(folder)


def test_text_that_is_not_json_is_refused(package):
    (package.folder / "configs/package.json").write_text("{")
    with pytest.raises(UnusableInput, match="not JSON"):
        ModelPackage.load(package.folder)


def test_a_network_refuses_arguments_it_does_not_know():
    with pytest.raises(UnusableInput, match="BasicUNet refuses its arguments"):
        build_network({"name": "BasicUNet", "args": {"spatial_dims": 3, "wheels": 4}})


def test_weights_of_another_network_are_refused(package):
    path = package.folder / "configs/package.json"
    members = json.loads(path.read_text())["members"]
    wider = tiny_network()
    wider["args"]["features"] = [8, 4, 8, 8, 8, 4]
    loaded = ModelPackage.load(change(package, members=[{**members[0], "network": wider}]))
    with pytest.raises(UnusableInput, match="does not fit BasicUNet") as caught:
        loaded.load_network(loaded.members[0])
    assert "\n" not in str(caught.value)


def test_weights_with_nan_are_not_written(tmp_path):
    member = TrainedMember("bad", tiny_network(), (2.0, 2.0, 2.0), {"w": np.array([np.nan], np.float32)})
    with pytest.raises(UnusableInput, match="not finite"):
        write_package(
            tmp_path / "p", id="p", version="1", title="P", members=[member], channels=[Channel("x")]
        )
    assert list(tmp_path.iterdir()) == []


def test_writing_again_replaces_the_old_folder_whole(tmp_path):
    tiny_package(tmp_path / "p", members=3)
    package = tiny_package(tmp_path / "p", members=1)
    assert sorted(path.name for path in (package.folder / "models").iterdir()) == ["member-0.safetensors"]
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_revising_merges_tables_and_keeps_the_weights(package):
    revised = revise_package(package.folder, version="0.2.0", calibration={"temperature": 1.5})
    assert revised.calibration == {"temperature": 1.5, "threshold": 0.5, "brain_gate": False}
    assert revised.members == package.members
    assert revised.verify() == []
    metadata = json.loads((revised.folder / "configs/metadata.json").read_text())
    assert metadata["version"] == "0.2.0"
    assert set(metadata["changelog"]) == {"0.1.0", "0.2.0"}


def test_packages_are_listed_and_found_by_id_or_folder(tmp_path):
    one = tiny_package(tmp_path / "some" / "one", id="one")
    tiny_package(tmp_path / "some" / "two", id="two")
    ids = [package.id for package in list_packages([tmp_path / "some"])]
    assert [id for id in ids if id in ("one", "two")] == ["one", "two"]
    assert find_package("two", [tmp_path / "some"]).title == "Tiny random networks for tests"
    assert find_package(str(one.folder)).id == "one"


def test_a_package_that_is_not_there_is_named_with_what_is(tmp_path):
    tiny_package(tmp_path / "one", id="one")
    with pytest.raises(UnusableInput, match=r"no model 'brian' \(available: .*one"):
        find_package("brian", [tmp_path])


def test_a_broken_package_does_not_hide_the_others(tmp_path):
    broken = tiny_package(tmp_path / "broken", id="broken")
    tiny_package(tmp_path / "whole", id="whole")
    change(broken, schema="?")
    assert "whole" in [package.id for package in list_packages([tmp_path])]
    [(folder, why)] = broken_packages([tmp_path])
    assert (folder.name, "schema '?'" in why) == ("broken", True)
    with pytest.raises(UnusableInput, match="schema '\\?'"):
        find_package("broken", [tmp_path])


def test_info_is_ready_for_json(package):
    info = json.loads(json.dumps(package.info()))
    assert info["members"][0]["network"] == "BasicUNet"
    assert info["fingerprint"] == {"modality": "MR"}
    assert info["sha256"] == package.sha256


def test_the_rooms_are_imported_without_torch():
    code = (
        "import sys, TumorSegRobustLib.models, TumorSegRobustLib.inference, TumorSegRobustLib.trust;"
        "heavy = 'torch', 'monai', 'openvino', 'scipy', 'SimpleITK';"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          cwd=Path(__file__).resolve().parents[2])
    assert done.stdout.strip() == "[]"
