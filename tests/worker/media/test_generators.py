from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.worker.media.signing import picture
from worker.media.generators import find_generator, known_generators, name_agent, read_generators
from worker.media.image_metadata import Text, read_metadata

WEB_UI = (
    "a castle on a hill\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, Schedule type: Automatic, CFG scale: 7, "
    "Seed: 3141592653, Size: 512x512, Model hash: 6ce0161689, Model: v1-5-pruned-emaonly"
)
COMFY = json.dumps(
    {"3": {"class_type": "KSampler", "inputs": {"seed": 5}}, "9": {"class_type": "S", "inputs": {}}}
)
GRAPH = json.dumps({"last_node_id": 9, "nodes": [], "links": [], "version": 0.4})
JOB = "a lighthouse in the fog --ar 3:2 --v 6.1 Job ID: 8c8e1d3b-6f6a-4a47-9d0e-2b8c4b7f1a55"
NOVEL = json.dumps({"prompt": "a shrine in the rain", "steps": 28, "scale": 5.0, "uc": "blurry"})
AIGC = json.dumps({"Label": "1", "ContentProducer": "001191330110X", "ProduceID": "x"})


@pytest.mark.parametrize(
    ("field", "value", "name"),
    [
        ("png.parameters", WEB_UI, "Stable Diffusion web UI"),
        ("exif.UserComment", WEB_UI, "Stable Diffusion web UI"),
        ("png.prompt", COMFY, "ComfyUI"),
        ("png.workflow", GRAPH, "ComfyUI"),
        ("exif.Make", "workflow:" + GRAPH, "ComfyUI"),
        ("mp4.comment", json.dumps({"prompt": COMFY, "workflow": GRAPH}), "ComfyUI"),
        ("png.parameters", json.dumps({"sui_image_params": {"prompt": "x"}}), "SwarmUI"),
        ("png.invokeai_metadata", json.dumps({"positive_prompt": "x"}), "InvokeAI"),
        ("png.Dream", '"a castle" -s 50 -S 42 -W 512 -H 512', "InvokeAI"),
        ("png.fooocus_scheme", "fooocus", "Fooocus"),
        ("png.Software", "NovelAI", "NovelAI"),
        ("exif.UserComment", json.dumps({"Comment": NOVEL, "Software": "NovelAI"}), "NovelAI"),
        ("xmp.CreatorTool", "Draw Things", "Draw Things"),
        ("png.Description", JOB, "Midjourney"),
        ("xmp.description", JOB, "Midjourney"),
        ("xmp.CreatorTool", "Midjourney", "Midjourney"),
        ("exif.Software", "DALL·E 3", "OpenAI"),
        ("xmp.CreatorTool", "Adobe Firefly 3.0", "Adobe Firefly"),
        ("xmp.Credit", "Made with Google AI", "Google AI"),
        ("iptc.Credit", "made with google ai ", "Google AI"),
        ("xmp.Credit", "Imagined with AI", "Meta AI"),
        ("exif.Software", "AI generated;txt2img;flux", "Black Forest Labs FLUX"),
        ("exif.Make", "Ideogram AI", "Ideogram"),
        ("xmp.AIGC", AIGC, "labelled as generated (GB 45438)"),
        ("mp4.AIGC", json.dumps({"AIGC": json.loads(AIGC)}), "labelled as generated (GB 45438)"),
    ],
)
def test_generators_are_known_by_their_signs(field: str, value: str, name: str) -> None:
    found = find_generator([Text("exif.Model", "x"), Text(field, value)])
    assert found is not None
    assert (found.name, found.type) == (name, "trainedAlgorithmicMedia")


@pytest.mark.parametrize("credit", ["Edited with Google AI", "Apple Photos Clean Up"])
def test_edits_make_composites(credit: str) -> None:
    found = find_generator([Text("xmp.Credit", credit)])
    assert found is not None
    assert found.type == "compositeWithTrainedAlgorithmicMedia"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("xmp.CreatorTool", "Adobe Photoshop 26.1 (Windows)"),
        ("xmp.CreatorTool", "Adobe Photoshop Lightroom Classic 14.0"),
        ("exif.Software", "GIMP 2.10.36"),
        ("exif.Software", "Topaz Photo AI 3.2"),  # it removes noise: enhancement is no generation
        ("exif.Software", "DxO PureRAW 4"),
        ("exif.Software", "Capture One 23"),
        ("exif.Software", "17.5.1"),
        ("exif.Software", "Ver.1.00"),
        ("exif.Software", "Luminar Neo"),
        ("exif.Software", "Affinity Photo 2"),
        ("exif.Make", "Canon"),
        ("exif.Make", "FUJIFILM"),
        ("exif.Model", "prompt"),
        ("exif.ImageDescription", "OLYMPUS DIGITAL CAMERA"),
        ("exif.ImageDescription", "People queue for a talk about Midjourney, Job ID: 12345"),
        ("exif.ImageDescription", "A screen that shows Midjourney. Photo: Example Agency"),
        ("exif.ImageDescription", "ChatGPT's logo on a telephone"),
        ("xmp.description", WEB_UI),  # a caption that quotes settings stands in another field
        ("xmp.description", "Made with Google AI? No, this is a photograph."),
        ("xmp.Credit", "Jane Example / Example Agency, not made with Google AI"),
        ("xmp.Credit", "Getty Images"),
        ("png.Software", "gnome-screenshot"),
        ("png.Software", "Midjourneyish 2"),
        ("png.Software", "Soranet Scanner"),
        ("png.Description", "Job ID: not-a-uuid"),
        ("png.Comment", "Created with GIMP"),
        ("png.parameters", "Steps: walk, then run. Seed: sunflower."),
        ("png.prompt", "What is your name?"),
        ("png.prompt", json.dumps({"question": "name"})),
        ("png.workflow", json.dumps({"nodes": []})),
        ("png.workflow", "review, approve, publish"),
        ("png.Dream", "I had a dream"),
        ("png.invokeai_metadata", "{}"),
        ("png.invokeai_metadata", "[" * 100_000),
        ("mp4.tool", "Lavf61.7.100"),
        ("mp4.comment", "my holiday"),
        ("mp4.comment", json.dumps({"prompt": "x"})),
        ("xmp.AIGC", json.dumps({"Label": "3"})),
        ("xmp.AIGC", "1"),
        ("xmp.AIGC", json.dumps(["Label", "1"])),
    ],
)
def test_near_misses_are_no_sign(field: str, value: str) -> None:
    assert find_generator([Text(field, value)]) is None


def test_signs_survive_the_way_through_real_files(tmp_path: Path) -> None:
    told = PngInfo()
    told.add_text("Title", "NovelAI generated image")
    told.add_text("Software", "NovelAI")
    told.add_text("Comment", NOVEL)
    exif = Image.Exif()
    exif.get_ifd(34665)[37510] = b"UNICODE\0" + WEB_UI.encode("utf-16-be")
    for format, data, name in (
        ("png", picture("png", pnginfo=told), "NovelAI"),
        ("jpeg", picture("jpeg", exif=exif), "Stable Diffusion web UI"),
        ("webp", picture("webp", exif=exif), "Stable Diffusion web UI"),
    ):
        path = tmp_path / format
        path.write_bytes(data)
        found = find_generator(read_metadata(path, format))
        assert found is not None
        assert found.name == name


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Adobe_Firefly", "Adobe Firefly"),
        ("Adobe Firefly 3", "Adobe Firefly"),
        ("ChatGPT", "OpenAI"),
        ("OpenAI-API", "OpenAI"),
        ("GPT-4o", "OpenAI"),
        ("DALL·E", "OpenAI"),
        ("Microsoft_Responsible_AI/1.0", "Microsoft Designer"),
        ("Image Creator from Designer", "Microsoft Designer"),
        ("FLUX.1", "Black Forest Labs FLUX"),
        ("Adobe Photoshop", None),
        ("Leica M11-P", None),
        ("Sorabel Camera", None),
        ("", None),
    ],
)
def test_programs_that_claims_name(agent: str, name: str | None) -> None:
    assert name_agent(agent) == name


def test_the_list_has_sources_and_each_sign_can_match() -> None:
    listed = known_generators()
    assert len(listed) >= 16
    for generator in listed:
        assert generator.source
        assert len(generator.name) <= 100
        assert all(agent == agent.lower() for agent in generator.agents)


GOOD: dict[str, Any] = {
    "name": "X",
    "source": "https://example.com",
    "read": known_generators()[0].read,
    "signs": [{"fields": ["png.Software"], "is": ["X"]}],
}


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"source": ""},
        {"read": "yesterday"},
        {"type": "digitalCapture"},
        {"type": "made up"},
        {"signs": []},
        {"signs": [{"fields": ["png.Author"], "is": ["X"]}]},
        {"signs": [{"fields": [], "is": ["X"]}]},
        {"signs": [{"fields": ["png.Software"]}]},
        {"signs": [{"fields": ["png.Software"], "like": "X"}]},
        {"signs": [{"fields": ["png.Software"], "is": ["X"], "begins": ["X"]}]},
        {"pattern": "X"},
    ],
)
def test_a_faulty_entry_is_refused(change: dict[str, Any]) -> None:
    assert len(read_generators({"generators": [GOOD]})) == 1
    with pytest.raises(ValueError, match="generator"):
        read_generators({"generators": [GOOD | change]})


@given(st.lists(st.tuples(st.sampled_from(["png.prompt", "xmp.Credit", "exif.Make", "xmp.AIGC"]), st.text())))
def test_any_texts_are_compared_without_an_error(texts: list[tuple[str, str]]) -> None:
    assert find_generator([Text(*text) for text in texts]) is None
