"""Weights from several addresses, served by a server of this machine."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch

from glip_mm.checkpoints import DownloadError, checkpoint_file, read_checkpoint
from glip_mm.checkpoints.download import FOLDER, Download, download
from glip_mm_cli import places
from tests import forked


class Server:
    """Serves one content at any path whose folder says how.

    ``/whole`` answers Range, ``/plain`` does not, ``/cut`` closes after a third of what was asked
    for, ``/gone`` is 404, ``/other`` has other content, ``/slow`` waits, ``/untold`` gives no
    length and half of the content, ``/page`` says that it is a web page.
    """

    def __init__(self, content):
        self.content, self.asked = content, []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, request):
        kind = request.path.split('/')[1]
        wanted = request.headers.get('Range')
        self.asked.append((kind, wanted))
        if kind == 'gone':
            request.send_error(404)
            return
        content = b'other' * 1000 if kind == 'other' else self.content
        begin = 0
        if wanted and kind != 'plain':
            begin = int(wanted.removeprefix('bytes=').removesuffix('-'))
            if begin >= len(content):
                request.send_error(416)
                return
            request.send_response(206)
            request.send_header('Content-Range', f'bytes {begin}-{len(content) - 1}/{len(content)}')
        else:
            request.send_response(200)
        if kind == 'page':
            request.send_header('Content-Type', 'text/html; charset=utf-8')
        body = content[begin:]
        if kind == 'untold':
            body = body[:len(body) // 2]
        else:
            request.send_header('Content-Length', str(len(body)))
        request.end_headers()
        if kind == 'slow':
            threading.Event().wait(1)
        request.wfile.write(body[:len(body) // 3 + 1] if kind == 'cut' else body)

    def address(self, kind, name='weights.pth'):
        return f'http://127.0.0.1:{self.server.server_port}/{kind}/{name}'


@pytest.fixture
def server(tmp_path):
    torch.save(dict(state_dict=dict(a=torch.arange(5000.))), tmp_path / 'served.pth')
    server = Server((tmp_path / 'served.pth').read_bytes())
    yield server
    server.server.shutdown()
    server.server.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv(FOLDER, raising=False)
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    return tmp_path / 'hub' / 'checkpoints'


def sha(server):
    return hashlib.sha256(server.content).hexdigest()


DEAD = 'http://127.0.0.1:9/weights.pth'


def test_the_first_that_answers_rightly(server, cache):
    good = Download(server.address('whole'), sha(server)[:8], len(server.content))
    path = download([Download(DEAD), Download(server.address('gone')),
                     Download(server.address('other', 'b.pth'), sha(server)), good])
    assert path == cache / 'weights.pth' and path.read_bytes() == server.content
    assert not list(cache.glob('*.part'))
    # the file is kept, under whatever name it came
    assert download([Download(DEAD), good]) == path
    assert [kind for kind, _ in server.asked] == ['gone', 'other', 'whole']
    assert torch.equal(read_checkpoint(path)['state_dict']['a'], torch.arange(5000.))


def test_broken_connections_are_continued(server, cache):
    path = download([Download(server.address('cut'), sha(server))])
    assert path.read_bytes() == server.content
    begins = [wanted for _, wanted in server.asked]
    assert begins[0] is None and all(begins[1:]) and len(begins) > 3


def test_a_half_file_is_continued(server, cache):
    cache.mkdir(parents=True)
    (cache / 'weights.pth.part').write_bytes(server.content[:100])
    download([Download(server.address('whole'), sha(server))])
    assert server.asked == [('whole', 'bytes=100-')]
    (cache / 'weights.pth').unlink()
    # all of it was there, only its name was not
    (cache / 'weights.pth.part').write_bytes(server.content)
    assert download([Download(server.address('whole'), sha(server))]).is_file()


def test_a_server_without_ranges_begins_again(server, cache):
    cache.mkdir(parents=True)
    (cache / 'weights.pth.part').write_bytes(b'x' * 100)
    path = download([Download(server.address('plain'))])
    assert path.read_bytes() == server.content


def test_a_half_of_another_file_is_thrown_away(server, cache):
    cache.mkdir(parents=True)
    (cache / 'weights.pth.part').write_bytes(b'x' * 100)
    path = download([Download(server.address('whole'), sha(server))])
    assert path.read_bytes() == server.content
    assert [wanted for _, wanted in server.asked] == ['bytes=100-', None]


def test_every_address_is_explained(server, cache):
    size = len(server.content)
    with pytest.raises(DownloadError) as info:
        download([Download(DEAD), Download(server.address('gone')),
                  Download(server.address('whole'), '0' * 64),
                  Download(server.address('whole'), '', 7)])
    text = str(info.value)
    assert '\n' not in text
    for part in (f'{DEAD}: could not be reached (', 'answered 404 (Not Found)',
                 f'is another file: its SHA-256 begins with {sha(server)[:8]}, not 00000000',
                 f'offers {size} bytes where the file has 7', f'set {FOLDER} to its folder'):
        assert part in text, text
    assert not [path for path in cache.iterdir() if path.suffix != '.lock']


def test_a_folder_of_ones_own_comes_first(server, cache, tmp_path, monkeypatch):
    own = tmp_path / 'own'
    own.mkdir()
    (own / 'weights.pth').write_bytes(b'mine')
    monkeypatch.setenv(FOLDER, str(own))
    assert checkpoint_file(server.address('whole')) == own / 'weights.pth'
    assert not server.asked


def test_a_transfer_of_unknown_length_is_not_trusted(server, cache):
    with pytest.raises(DownloadError, match='untold/weights.pth: does not say how long the file'):
        download([Download(server.address('untold'))])
    with pytest.raises(DownloadError, match='is another file'):
        download([Download(server.address('untold'), sha(server))])
    assert not list(cache.glob('weights*'))


def test_a_kept_file_of_another_size_is_not_used(server, cache, tmp_path, monkeypatch):
    own = tmp_path / 'own'
    for folder in (own, cache):
        folder.mkdir(parents=True)
        (folder / 'weights.pth').write_bytes(b'half')
    monkeypatch.setenv(FOLDER, str(own))
    path = download([Download(server.address('whole'), sha(server), len(server.content))])
    assert path == cache / 'weights.pth' and path.read_bytes() == server.content
    assert (own / 'weights.pth').read_bytes() == b'half'


def test_a_kept_file_with_other_content_is_not_used(server, cache, tmp_path, monkeypatch):
    own = tmp_path / 'own' / 'weights.pth'
    own.parent.mkdir()
    own.write_bytes(bytes(len(server.content)))
    monkeypatch.setenv(FOLDER, str(own.parent))
    choice = Download(server.address('whole'), sha(server), len(server.content))
    assert download([choice]) == cache / 'weights.pth'
    own.write_bytes(server.content)
    assert download([choice]) == own
    # what was looked at once is not read again
    monkeypatch.setattr('glip_mm.checkpoints.download._check', None)
    assert download([choice]) == own


@pytest.mark.parametrize('path', ['', '/', '/models/'])
def test_an_address_without_a_file(path, cache):
    with pytest.raises(DownloadError, match=f"127.0.0.1:9{path}' names no file"):
        download([Download(f'http://127.0.0.1:9{path}')])


def test_a_folder_is_no_checkpoint(tmp_path):
    (tmp_path / 'epoch_4.pth').touch()
    with pytest.raises(IsADirectoryError, match='is a folder: give a file in it: epoch_4.pth'):
        checkpoint_file(tmp_path)


def test_two_processes_download_once(server, cache):
    code = ('import sys, torch\ntorch.hub.get_dir = lambda: sys.argv[1]\n'
            'from glip_mm.checkpoints.download import Download, download\n'
            'print(download([Download(sys.argv[2])]).stat().st_size)')
    both = [forked.Program('-c', code, cache.parent, server.address('slow')) for _ in range(2)]
    assert [process.communicate()[0].split()[-1] for process in both] == [
        str(len(server.content))] * 2
    assert server.asked == [('slow', None)]


@pytest.fixture
def index(server, tmp_path, monkeypatch):
    (tmp_path / 'configs').mkdir()
    (tmp_path / 'model-index.yml').write_text('Import: [configs/metafile.yml]\n')
    (tmp_path / 'configs' / 'metafile.yml').write_text(
        f'Models:\n- Name: glip_x\n  Config: configs/x.py\n  Weights: {server.address("gone")}\n'
        f'  Downloads:\n  - Address: {server.address("gone")}\n'
        f'  - Address: {server.address("whole")}\n    SHA256: "{sha(server)}"\n'
        f'    Size: {len(server.content)}\n')
    monkeypatch.setattr(places, 'BESIDE', tmp_path)


@pytest.mark.parametrize('kind, asked', [
    ('name', ['gone', 'whole']), ('gone', ['gone', 'whole']), ('whole', ['whole'])])
def test_names_and_addresses_of_the_index(kind, asked, index, server, cache):
    given = 'glip_x' if kind == 'name' else server.address(kind)
    assert checkpoint_file(given) == cache / 'weights.pth'
    assert [each for each, _ in server.asked] == asked


def test_what_is_no_checkpoint(index, tmp_path):
    with pytest.raises(FileNotFoundError, match='glip_y.*name of the model index'):
        checkpoint_file('glip_y')
    (tmp_path / 'a b.pth').touch()
    assert checkpoint_file((tmp_path / 'a b.pth').as_uri()) == tmp_path / 'a b.pth'


def test_a_folder_that_is_none_is_said(cache, tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path / 'nowhere'))
    with pytest.raises(DownloadError, match="nowhere' is no folder"):
        download([Download('http://127.0.0.1:1/a.pth')])


def test_without_a_hash_a_file_is_one_of_its_address(server, cache, caplog):
    first = download([Download(server.address('whole'))])
    assert download([Download(server.address('whole'))]) == first
    assert download([Download(server.address('other'))]).read_bytes() == b'other' * 1000
    assert [kind for kind, _ in server.asked] == ['whole', 'other']
    with pytest.raises(DownloadError, match='answered 404'):
        download([Download(server.address('gone'))])
    # where a hash tells, the address does not matter
    assert download([Download(server.address('whole'), sha(server))]).read_bytes() == server.content
    assert len(server.asked) == 4
    assert download([Download(server.address('gone'), sha(server))]).is_file()
    assert len(server.asked) == 4


def test_without_a_hash_a_part_is_one_of_its_address(server, cache, monkeypatch):
    def broken(choice, part):
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(b'other')
        raise OSError('broken')

    with monkeypatch.context() as patch:
        patch.setattr('glip_mm.checkpoints.download._transfer_all', broken)
        with pytest.raises(DownloadError):
            download([Download(server.address('other'))])
    assert download([Download(server.address('whole'))]).read_bytes() == server.content


def test_a_file_that_was_put_there_is_used(server, cache):
    cache.mkdir(parents=True)
    (cache / 'weights.pth').write_bytes(b'mine')
    assert download([Download(server.address('whole'))]).read_bytes() == b'mine'


def test_a_web_page_is_no_file(server, cache):
    with pytest.raises(DownloadError, match='answers with a web page, not with a file'):
        download([Download(server.address('page'))])
    assert not (cache / 'weights.pth').exists()
