"""The page, built of Gradio's parts: ``pip install glip_mm[demo]``."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# before Gradio is imported: it reports its use to its makers otherwise
os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
import gradio as gr  # noqa: E402

from glip_mm.compat import let_gradio_fetch_nothing  # noqa: E402

from .examples import Example  # noqa: E402
from .finder import COLUMNS, Answer, Finder, Found  # noqa: E402
from .texts import CAPTION, KINDS, NAMES  # noqa: E402

#: Seconds after which uploaded and drawn files are deleted.
KEPT = 600
#: Sessions whose last result is kept in memory.
SESSIONS = 32
_HELP = {
    NAMES: 'Names, separated by full stops, commas or lines: red cup. coffee maker',
    CAPTION: 'A sentence. Its noun phrases are found, or mark them: a [red cup] on [the table]'}


def make_page(finder: Finder, examples: Sequence[Example] = (), title: str = 'glip_mm',
              waiting: int = 16) -> Any:
    """Build the page.

    Args:
        finder: What finds.
        examples: Pictures with words, to click on; the first one is there from the start.
        title: Title of the page.
        waiting: Number of requests that wait for the model; more are refused.

    Returns:
        ``gradio.Blocks``, which :func:`open_page` serves.
    """
    first = examples[0] if examples else Example('', NAMES, '')
    stored = ', '.join(f'{name} {value:g}' for name, value in
                       finder.inferencer.thresholds.by_name.items())
    with gr.Blocks(title=title, analytics_enabled=False, delete_cache=(KEPT, KEPT)) as page:
        gr.Markdown(f'# {title}')
        found = gr.State(time_to_live=KEPT)
        with gr.Row():
            with gr.Column():
                picture = gr.Image(first.image or None, type='filepath', image_mode=None,
                                   sources=['upload', 'clipboard'], label='Picture', buttons=[])
                kind = gr.Radio([(kind.capitalize(), kind) for kind in KINDS], value=first.kind,
                                label='Look for')
                text = gr.Textbox(first.text, label='Words', info=_HELP[first.kind], lines=3,
                                  max_length=finder.limits.characters)
                negatives = gr.Textbox(label='But not', max_length=finder.limits.characters,
                                       info='Names that compete for boxes and are not shown')
                find = gr.Button('Find', variant='primary')
            with gr.Column():
                drawn = gr.Image(label='Found', elem_id='drawn', interactive=False, format='jpeg',
                                 buttons=['download', 'fullscreen'])
                summary = gr.Markdown(elem_id='summary')
                score = gr.Slider(
                    0, 1, finder.inferencer.thresholds.default, step=0.01, label='Score from',
                    info=f"The model's own: {stored}" if stored else None)
                top_k = gr.Slider(1, 100, 50, step=1, label='Boxes at most')
                with gr.Row():
                    coco = gr.DownloadButton('Download COCO', interactive=False)
                    yolo = gr.DownloadButton('Download YOLO', interactive=False)
        table = gr.Dataframe(headers=list(COLUMNS), label='Boxes', elem_id='boxes',
                             interactive=False, datatype=['str', *['number'] * 5])
        outputs = [found, drawn, summary, table, coco, yolo]
        asked = [picture, kind, text, negatives, score, top_k]

        def ask(path: str | None, kind: str, text: str, negatives: str, score_thr: float,
                top_k: float) -> list[Any]:
            result = finder.find(path, kind, text, negatives)
            return [result, *_values(finder.show(result, score_thr, int(top_k)))]

        def redraw(result: Found | None, score_thr: float, top_k: float) -> list[Any]:
            if result is None:
                return [gr.skip()] * len(outputs)
            return [result, *_values(finder.show(result, score_thr, int(top_k)))]

        # one at a time: they share the model and the folder of its files
        alone = dict(concurrency_limit=1, concurrency_id='model', api_visibility='private')
        gr.on([find.click, negatives.submit], _with_sentences(ask), asked, outputs, **alone)
        gr.on([score.release, top_k.release], _with_sentences(redraw), [found, score, top_k],
              outputs, show_progress='minimal', trigger_mode='always_last', **alone)
        kind.change(lambda kind: gr.update(info=_HELP[kind]), kind, text, queue=False,
                    api_visibility='private')
        if examples:
            gr.Examples([list(example) for example in examples], [picture, kind, text],
                        cache_examples=False, api_visibility='private')
    # Gradio would open the picture itself, without our limits, or make a file of a data: address
    picture.preprocess = lambda payload: payload and payload.path
    return page.queue(max_size=waiting, api_open=False, default_concurrency_limit=1)


def open_page(page: Any, host: str = '127.0.0.1', port: int = 7860, size: int = 20 << 20) -> str:
    """Serve the page, in threads of this process.

    Nothing is fetched from the network or sent there, neither by the page nor by the browser, and
    no file is readable but what was uploaded and drawn, in ``GRADIO_TEMP_DIR``.

    Args:
        page: Page of :func:`make_page`.
        host: Address to listen at.
        port: Port to listen at; 0: a free one.
        size: Maximum number of bytes of a picture.

    Returns:
        Address of the page.

    Raises:
        OSError: If the port is not free.
    """
    let_gradio_fetch_nothing()
    _, address, _ = page.launch(
        server_name=host, server_port=port or _free_port(host), share=False, quiet=True,
        prevent_thread_lock=True, inbrowser=False, show_error=True, allowed_paths=[],
        max_file_size=size, state_session_capacity=SESSIONS, ssr_mode=False, pwa=False,
        mcp_server=False, enable_monitoring=False, run_history=False, footer_links=[],
        theme=gr.themes.Default(font=['system-ui', 'sans-serif'],
                                font_mono=['ui-monospace', 'monospace']))
    return address


def keep_files_in(folder: Path) -> None:
    """Let Gradio write into a folder; to be called before a page is made."""
    os.environ['GRADIO_TEMP_DIR'] = str(folder)


def _with_sentences(function: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """Show what is wrong with a request as a sentence on the page."""
    def run(*values: Any) -> list[Any]:
        try:
            return function(*values)
        except (ImportError, ValueError) as error:
            raise gr.Error(str(error), print_exception=False) from error
    return run


def _values(answer: Answer) -> list[Any]:
    files = [gr.update(value=None if path is None else str(path), interactive=path is not None)
             for path in (answer.coco, answer.yolo)]
    return [answer.picture, answer.summary, answer.rows, *files]


def _free_port(host: str) -> int:
    import socket
    with socket.socket() as found:
        found.bind((host, 0))
        return found.getsockname()[1]
