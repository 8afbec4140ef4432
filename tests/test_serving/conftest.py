"""Fixtures of a tiny model, and of a server with it."""

import pytest

pytest.importorskip('fastapi', reason='needs requirements/serve.txt')
pytest.importorskip('httpx', reason='needs httpx, by which FastAPI is tested')

from tests.test_apis.conftest import checkpoint, config, inferencer, pictures, tiny_bert  # noqa: E402, F401


@pytest.fixture
def client(inferencer):  # noqa: F811
    """A client of a server whose limits the keywords name."""
    from fastapi.testclient import TestClient

    from glip_mm.serving import ServerSettings, create_app
    open_clients = []

    def start(**settings):
        app = create_app(inferencer, ServerSettings(**settings))
        opened = TestClient(app, base_url='http://localhost').__enter__()
        open_clients.append(opened)
        return opened
    yield start
    for one in open_clients:
        one.__exit__(None, None, None)
