"""Counters of a server in the text format of Prometheus."""

import threading
from collections import Counter

#: Upper bounds of the buckets of times, in seconds.
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """Counts requests, their times, and batches; threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._times: Counter[float] = Counter()
        self._seconds = self._model_seconds = 0.
        self._batches = self._images = 0

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count an answer."""
        with self._lock:
            self._requests[path, status] += 1
            self._times[next((bound for bound in BUCKETS if seconds <= bound), float('inf'))] += 1
            self._seconds += seconds

    def batch(self, images: int, seconds: float) -> None:
        """Count a forward pass."""
        with self._lock:
            self._batches += 1
            self._images += images
            self._model_seconds += seconds

    def text(self, in_work: int) -> str:
        """Return everything as Prometheus reads it.

        Args:
            in_work: Number of requests in work.
        """
        with self._lock:
            lines = [*_head('requests_total', 'counter', 'Requests by path and status.')]
            lines += [f'glip_mm_requests_total{{path="{path}",status="{status}"}} {count}'
                      for (path, status), count in sorted(self._requests.items())]
            lines += _head('request_seconds', 'histogram', 'Time from a request to its answer.')
            total = 0
            for bound in (*BUCKETS, float('inf')):
                total += self._times[bound]
                name = '+Inf' if bound == float('inf') else f'{bound:g}'
                lines.append(f'glip_mm_request_seconds_bucket{{le="{name}"}} {total}')
            lines += [f'glip_mm_request_seconds_sum {self._seconds:.6f}',
                      f'glip_mm_request_seconds_count {total}']
            for name, kind, help_text, value in (
                    ('requests_in_work', 'gauge', 'Requests read, waiting or detected in.',
                     f'{in_work}'),
                    ('batches_total', 'counter', 'Forward passes.', f'{self._batches}'),
                    ('images_total', 'counter', 'Images in forward passes.', f'{self._images}'),
                    ('model_seconds_total', 'counter', 'Time in forward passes.',
                     f'{self._model_seconds:.6f}')):
                lines += [*_head(name, kind, help_text), f'glip_mm_{name} {value}']
        return '\n'.join(lines) + '\n'


def _head(name: str, kind: str, help_text: str) -> list[str]:
    return [f'# HELP glip_mm_{name} {help_text}', f'# TYPE glip_mm_{name} {kind}']
