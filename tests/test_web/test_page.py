"""What the page does with its values, with a stand-in for Gradio; tests/test_demo has the page."""

import importlib
import sys
from unittest.mock import MagicMock

import pytest

from glip_mm.web import Example


class Refused(Exception):
    """Stands for ``gradio.Error``."""

    def __init__(self, message, **options):
        super().__init__(message)


@pytest.fixture
def gradio(monkeypatch):
    stand_in = MagicMock(Error=Refused)
    stand_in.update.side_effect = lambda **values: values
    stand_in.Blocks.return_value.__enter__.return_value.queue.return_value.launch.return_value = (
        None, 'http://127.0.0.1:7860', None)
    monkeypatch.setitem(sys.modules, 'gradio', stand_in)
    monkeypatch.delitem(sys.modules, 'glip_mm.web.page', raising=False)
    yield stand_in
    sys.modules.pop('glip_mm.web.page', None)


@pytest.fixture
def page_module(gradio):
    return importlib.import_module('glip_mm.web.page')


def test_what_is_asked_and_drawn_again(gradio, page_module, finder, photo):
    page_module.make_page(finder, [Example(photo, 'names', 'cat. dog')])
    ask, redraw = (call.args[1] for call in gradio.on.call_args_list)
    found, picture, summary, rows, coco, yolo = ask(photo, 'names', 'cat. dog', '', 0, 3)
    assert len(rows) == 3 and picture.ndim == 3 and summary.endswith('in 1 image')
    assert coco['interactive'] and coco['value'].endswith('.coco.json')
    again = redraw(found, 1, 3)
    assert again[0] is found and again[3] == []
    assert again[4] == again[5] == dict(value=None, interactive=False)
    assert redraw(None, 0, 3) == [gradio.skip()] * 6
    with pytest.raises(Refused, match='give a picture first'):
        ask(None, 'names', 'cat', '', 0, 3)
    # the model answers one at a time
    assert {call.kwargs['concurrency_limit'] for call in gradio.on.call_args_list} == {1}


def test_the_page_is_bounded(gradio, page_module, finder):
    page = page_module.make_page(finder, waiting=5)
    blocks = gradio.Blocks.return_value.__enter__.return_value
    assert blocks.queue.call_args.kwargs['max_size'] == 5
    assert page_module.open_page(page, port=1234, size=99) == 'http://127.0.0.1:7860'
    options = page.launch.call_args.kwargs
    assert options['server_name'] == '127.0.0.1' and options['server_port'] == 1234
    assert options['max_file_size'] == 99 and options['allowed_paths'] == []
    assert not options['share'] and not options['mcp_server']
    assert gradio.processing_utils.async_ssrf_protected_download.__name__ == 'refuse'
