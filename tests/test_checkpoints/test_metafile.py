from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.fileio import load

ROOT = Path(__file__).parents[2]
INDEX = load(ROOT / 'model-index.yml')['Import']
ROWS = [model for path in INDEX for model in load(ROOT / path)['Models']]
RELEASED = ['glip_swin-t-a_o365', 'glip_swin-t_o365', 'glip_swin-t_o365-goldg',
            'glip_swin-t_o365-goldg-cc3m-sbu', 'glip_swin-l_mixed']


def test_released_models_are_listed():
    names = [row['Name'] for row in ROWS]
    assert [n for n in names if n in RELEASED] == RELEASED
    assert len(set(names)) == len(names)


def test_every_metafile_is_imported():
    found = {str(p.relative_to(ROOT)) for p in ROOT.glob('configs/*/metafile.yml')}
    assert found == set(INDEX)


@pytest.mark.parametrize('row', ROWS, ids=lambda r: r['Name'])
def test_rows_are_complete(row):
    assert (ROOT / row['Config']).is_file()
    assert Config.fromfile(ROOT / row['Config']).model.type.endswith('GLIP')
    if row['Name'] in RELEASED:
        assert row['Results']
        assert row['Weights'].startswith('https://download.openmmlab.com/')
        assert row['Converted From']['Weights'].endswith('.pth')
        addresses = [each['Address'] for each in row['Downloads']]
        assert row['Weights'] in addresses and row['Converted From']['Weights'] in addresses
        # OpenMMLab's names end with the first digits of the hash
        assert all(each['SHA256'] in each['Address'] for each in row['Downloads'][1:])
        assert row['Results']
    for result in row.get('Results', []):
        assert result['Task'] and result['Dataset']
        assert all(isinstance(v, (int, float)) for v in result['Metrics'].values())


BACKBONES = dict(SwinTransformer='Swin Transformer', ResNet='ResNet', CSPNeXt='CSPNeXt',
                 EfficientNetLite='EfficientNet-Lite')


@pytest.mark.parametrize('row', ROWS, ids=lambda r: r['Name'])
def test_architecture_and_data_are_those_of_the_model(row):
    """MIM gives a model whatever it does not say itself from its collection."""
    collection, = load(ROOT / 'configs/glip/metafile.yml')['Collections']
    said = {**collection['Metadata'], **row['Metadata']}
    model = Config.fromfile(ROOT / row['Config']).model
    assert said['Architecture'][0] == BACKBONES[model.backbone.type.rpartition('.')[2]]
    fused = 'Bi-directional Cross-Attention' in said['Architecture']
    assert fused == model.fusion_neck.get('fuse', True)
    assert row['Metadata']['Training Data']


def test_aliases_resolve():
    from glip_mm.checkpoints.model_index import find_model, list_models
    assert find_model('glip-t-a') == find_model('glip_swin-t-a_o365')
    for model in list_models().values():
        assert all(find_model(alias) == model for alias in model.aliases)
    with pytest.raises(ValueError, match="known names: glip_cspnext-s_o365, "):
        find_model('glip-t-z')


def test_names_resolve_through_mmengine():
    """What an inferencer does with a name or an alias."""
    from mmengine.infer import BaseInferencer
    listed = {m['Name']: m for m in BaseInferencer._get_models_from_metafile(str(ROOT))}
    assert set(RELEASED) <= set(listed)
    assert 'glip_atss_swin-l_fpn_dyhead_pretrain_mixeddata' in listed['glip_swin-l_mixed']['Alias']
