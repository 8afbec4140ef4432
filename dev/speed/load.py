"""Put a server under load: many clients, every answer compared, and the server killed meanwhile.

A tiny model is served by ``tools/serve.py`` in a process of its own. Clients keep their
connections; one that is refused or cut off asks again, and nothing else is done about it.

    python -m dev.speed.load --clients 8 --requests 2000 --runs 3
    python -m dev.speed.load --requests 2000 --kills 3

Exit status: 0 if every request was answered, and with the numbers of ``GLIPInferencer``.
"""

import argparse
import base64
import http.client
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROMPTS = (['red circle', 'box'], ['cat'], ['a', 'blue star', 'dog', 'coffee maker'])
#: Differences of boxes (pixels) and scores that rounding in batches makes.
BOX, SCORE = 0.02, 2e-4


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.speed.load', description=__doc__.split('\n')[0])
    parser.add_argument('--clients', type=int, default=8, help='threads (default: 8)')
    parser.add_argument('--requests', type=int, default=2000, help='of a run (default: 2000)')
    parser.add_argument('--runs', type=int, default=1, help='(default: 1)')
    parser.add_argument('--kills', type=int, default=0, metavar='N',
                        help='kill -9 and restart the server N times in a run (default: 0)')
    parser.add_argument('--options', nargs=argparse.REMAINDER, default=[],
                        help='all that follows is given to tools/serve.py')
    return parser.parse_args(argv)


class Server:
    """A server in a process of its own."""

    def __init__(self, files: tuple[Path, Path], options: Sequence[str]) -> None:
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            self.port = free.getsockname()[1]
        config, weights = map(str, files)
        self.command = [sys.executable, str(ROOT / 'tools/serve.py'), config, '--weights', weights,
                        '--port', str(self.port), *options]
        self.process = subprocess.Popen(self.command, stderr=subprocess.DEVNULL)

    def restart(self) -> None:
        """Kill the process, as a power cut would, and start another one."""
        self.process.kill()
        self.process.wait()
        self.process = subprocess.Popen(self.command, stderr=subprocess.DEVNULL)

    def get(self, path: str) -> str:
        """Return the answer to a GET."""
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
        try:
            connection.request('GET', path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def wait(self) -> None:
        """Wait until it answers."""
        while True:
            try:
                self.get('/health')
                return
            except OSError:
                if self.process.poll() is not None:
                    raise SystemExit(f'the server ended: {" ".join(self.command)}') from None
                time.sleep(0.1)


class Load:
    """Clients that share a number of requests."""

    def __init__(self, server: Server, cases: Sequence[tuple[bytes, dict]], requests: int) -> None:
        self.server, self.cases, self.requests = server, cases, requests
        self.seconds: list[float] = []
        self.events: Counter[str] = Counter()
        self._next, self._lock = 0, threading.Lock()

    def run(self, clients: int, kills: int) -> float:
        """Send the requests; returns the seconds that they took."""
        threads = [threading.Thread(target=self._client) for _ in range(clients)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for number in range(kills):
            while len(self.seconds) < self.requests * (number + 1) // (kills + 1):
                time.sleep(0.01)
            self.server.restart()
        for thread in threads:
            thread.join()
        return time.perf_counter() - start

    def _client(self) -> None:
        connection = http.client.HTTPConnection('127.0.0.1', self.server.port, timeout=120)
        while True:
            with self._lock:
                number, self._next = self._next, self._next + 1
            if number >= self.requests:
                return
            body, wanted = self.cases[number % len(self.cases)]
            while not self._ask(connection, body, wanted):
                time.sleep(0.1)

    def _ask(self, connection: http.client.HTTPConnection, body: bytes, wanted: dict) -> bool:
        """Ask once; returns whether there was an answer."""
        start = time.perf_counter()
        try:
            connection.request('POST', '/detect', body, {'Content-Type': 'application/json'})
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            connection.close()  # the next request connects again
            self._count('asked again: no connection')
            return False
        if response.status == 503:
            self._count('asked again: 503')
            return False
        with self._lock:
            self.seconds.append(time.perf_counter() - start)
        if response.status != 200:
            self._count(f'error: {response.status}')
        elif not is_same(json.loads(content), wanted):
            self._count('error: other numbers')
        return True

    def _count(self, event: str) -> None:
        with self._lock:
            self.events[event] += 1


def is_same(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Return whether an answer is the inferencer's."""
    if any(found[name] != wanted[name] for name in ('names', 'labels', 'width', 'height')):
        return False
    return all(abs(a - b) <= SCORE for a, b in zip(found['scores'], wanted['scores'])) and all(
        abs(a - b) <= BOX for one, other in zip(found['boxes'], wanted['boxes'])
        for a, b in zip(one, other))


def make_cases(files: tuple[Path, Path], folder: Path) -> list[tuple[bytes, dict]]:
    """Make requests of each picture with each prompt, and what the inferencer says to them."""
    from glip_mm.apis import GLIPInferencer
    inferencer = GLIPInferencer(str(files[0]), str(files[1]), device='cpu', show_progress=False)
    cases = []
    for picture in sorted(folder.glob('*.png')):
        content = picture.read_bytes()
        for names in PROMPTS:
            result = inferencer(content, names)[0]
            assert result is not None and len(result.shown)
            body = {'image': base64.b64encode(content).decode(), 'names': names}
            cases.append((json.dumps(body).encode(), result.shown.to_dict()))
    return cases


def measure(args: argparse.Namespace, folder: Path) -> bool:
    """Measure, and print what was measured; returns whether there was no error."""
    from dev.robustness.world import World
    world = World.make(folder)
    cases = make_cases(world.files, folder)
    rows, sound = [], True
    for _ in range(args.runs):
        server = Server(world.files, args.options)
        try:
            server.wait()
            load = Load(server, cases, args.requests)
            took = load.run(args.clients, args.kills)
            server.wait()
            text = server.get('/metrics')
        finally:
            server.process.terminate()
            server.process.wait()
        cuts = statistics.quantiles(load.seconds, n=100)
        row = {'p50 ms': cuts[49] * 1000, 'p95 ms': cuts[94] * 1000, 'p99 ms': cuts[98] * 1000,
               'requests/s': len(load.seconds) / took}
        if not args.kills:
            row['images per batch'] = counter(text, 'images') / counter(text, 'batches')
        rows.append(row)
        errors = sum(n for event, n in load.events.items() if event.startswith('error'))
        sound = sound and not errors and len(load.seconds) == args.requests
        print(f'{len(load.seconds)} answers, {errors} errors, {dict(load.events)}, ' +
              ', '.join(f'{name} {value:.1f}' for name, value in row.items()), flush=True)
    for name in rows[0]:
        values = [row[name] for row in rows]
        print(f'{name}: {statistics.mean(values):.1f} ({min(values):.1f} to {max(values):.1f})')
    return sound


def counter(text: str, name: str) -> float:
    """Read a counter of ``/metrics``."""
    return float(text.split(f'\nglip_mm_{name}_total ')[1].split('\n')[0])


def main() -> int:
    args = parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return 0 if measure(args, Path(folder)) else 1


if __name__ == '__main__':
    sys.exit(main())
