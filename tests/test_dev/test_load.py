"""The load test counts what clients see: answers, other numbers, kills of the server."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from dev.speed.load import Load, counter, is_same

RESULT = dict(boxes=[[1., 2., 3., 4.]], scores=[.5], labels=[0], names=['cat'], width=8, height=6)


class Handler(BaseHTTPRequestHandler):
    """Answer, but for the requests whose number says otherwise."""
    protocol_version = 'HTTP/1.1'

    def do_POST(self):
        self.rfile.read(int(self.headers['Content-Length']))
        with self.server.lock:
            self.server.seen += 1
            status, answer = self.server.others.get(self.server.seen, (200, RESULT))
        if status is None:  # cut off
            self.close_connection = True
            return
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *words):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.lock, server.seen, server.others = threading.Lock(), 0, {}
    server.port, server.restarts = server.server_address[1], 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.restart = lambda: setattr(server, 'restarts', server.restarts + 1)
    yield server
    server.shutdown()
    server.server_close()


def load(server, requests=12):
    return Load(server, [(b'{}', RESULT)], requests)


def test_every_request_is_answered_once(server):
    run = load(server)
    assert run.run(clients=3, kills=0) > 0
    assert len(run.seconds) == 12 == server.seen and not run.events


def test_clients_ask_again_where_they_are_cut_off_or_turned_away(server):
    server.others = {2: (None, None), 5: (503, {}), 6: (None, None)}
    run = load(server)
    run.run(clients=3, kills=2)
    assert len(run.seconds) == 12 and server.seen == 15 and server.restarts == 2
    assert run.events == {'asked again: no connection': 2, 'asked again: 503': 1}


def test_errors_and_other_numbers_are_counted(server):
    server.others = {3: (500, {}), 7: (200, dict(RESULT, scores=[.6]))}
    run = load(server)
    run.run(clients=2, kills=0)
    assert run.events == {'error: 500': 1, 'error: other numbers': 1}


def test_what_is_the_same():
    assert is_same(RESULT, dict(RESULT, scores=[.5001], boxes=[[1.01, 2, 3, 4]]))
    for change in (dict(names=['dog']), dict(boxes=[[1, 2, 3, 5]]), dict(scores=[.6]),
                   dict(names=[], labels=[], scores=[], boxes=[])):
        assert not is_same({**RESULT, **change}, RESULT)
    assert counter('# HELP\nglip_mm_images_total 12\n', 'images') == 12


def test_the_server_is_killed_and_started_again(tmp_path, monkeypatch):
    import dev.speed.load as module
    started = []
    monkeypatch.setattr(module.subprocess, 'Popen', lambda command, **_: started.append(
        SimpleNamespace(command=command, kill=lambda: started.append('killed'),
                        wait=lambda: None)) or started[-1])
    server = module.Server((tmp_path / 'a.py', tmp_path / 'a.pth'), ['--max-batch', '2'])
    server.restart()
    first, killed, second = started
    assert killed == 'killed' and first.command == second.command
    assert first.command[-4:] == ['--port', str(server.port), '--max-batch', '2']
