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


def test_names_resolve_through_mmengine():
    """What an inferencer does with a name or an alias."""
    from mmengine.infer import BaseInferencer
    listed = {m['Name']: m for m in BaseInferencer._get_models_from_metafile(str(ROOT))}
    assert set(RELEASED) <= set(listed)
    assert 'glip_atss_swin-l_fpn_dyhead_pretrain_mixeddata' in listed['glip_swin-l_mixed']['Alias']
