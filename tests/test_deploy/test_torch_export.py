import pytest
import torch

from glip_mm.deploy import Metadata, Suppression, export, load_aot, load_pt2, suppress
from glip_mm.deploy.checking import compare, drawn_image, predict, to_input
from glip_mm.deploy.torch_export import to_aot, to_program
from glip_mm.text import Prompt

from .conftest import NAMES


@pytest.mark.parametrize('dynamic', [False, True])
def test_program(build, tmp_path, dynamic):
    model, prompt = build(levels=3, blocks=1, fuse=not dynamic), Prompt.from_names(NAMES)
    path = tmp_path / 'model.pt2'
    differences = export(model, prompt, path, format='torch-export', size=(256, 320),
                         dynamic=dynamic)
    assert len(differences) == (3 if dynamic else 2)
    assert all(d.count > 5 and d.alone == 0 for d in differences), differences
    program, metadata = load_pt2(path)
    assert metadata.names == NAMES and metadata.size == (None if dynamic else (256, 320))
    pixels = drawn_image((417, 333) if dynamic else (256, 320), seed=3)
    with torch.no_grad():
        found = program(torch.from_numpy(to_input(pixels, metadata)))
    found = [part.numpy() for part in suppress(*found, Suppression(**metadata.suppression))]
    assert compare(predict(model, pixels, prompt), found).alone == 0


def test_compiled_package_keeps_metadata():
    # a whole detector takes more than a minute to compile
    metadata = Metadata(NAMES, ['a caption'], size=(8, 8))
    example = torch.randn(1, 3, 8, 8)
    module = torch.nn.Conv2d(3, 4, 3)
    try:
        content = to_aot(to_program(module, metadata, example), metadata)
    except Exception as error:
        if 'compiler' in str(error).lower():
            pytest.skip('no C++ compiler')
        raise
    compiled, loaded = load_aot(content)
    assert loaded == metadata
    torch.testing.assert_close(compiled(example), module(example))
