"""The table of formats in the documents is that of the plug-ins."""

from pathlib import Path

from glip_mm.datasets.formats.opening import formats_table


def test_the_table_is_generated():
    text = (Path(__file__).parents[2] / 'docs/data_preparation.md').read_text(encoding='utf-8')
    written = text.partition('makes -->\n')[2].partition('\n<!-- /formats -->')[0]
    assert written == formats_table()
