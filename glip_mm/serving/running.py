"""Running the server."""

import importlib
import ipaddress
from typing import TYPE_CHECKING

from .settings import ServerSettings

if TYPE_CHECKING:
    from glip_mm.apis import GLIPInferencer


def check_start(host: str, token: str | None) -> None:
    """Check that there is all that a server needs, and that one that others reach wants a token.

    Raises:
        ImportError: If a package is missing.
        ValueError: If there is no token.
    """
    for name in ('fastapi', 'uvicorn', 'python_multipart'):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ImportError('the server needs FastAPI, uvicorn and python-multipart: pip '
                              f'install glip_mm[serve] ({error})') from error
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == 'localhost'
    if not local and token is None:
        raise ValueError(f"host='{host}' is reached from other machines: give a token (--token or "
                         'the environment variable GLIP_MM_TOKEN), or bind 127.0.0.1')


def serve(inferencer: 'GLIPInferencer', settings: ServerSettings, host: str = '127.0.0.1',
          port: int = 8000) -> None:
    """Serve a model until SIGINT or SIGTERM; requests in work are answered first.

    Args:
        inferencer: The model.
        settings: Limits.
        host: Address to bind.
        port: Port to bind; 0: a free one.

    Raises:
        ImportError: If a package is missing.
        ValueError: If others could reach it without a token.
    """
    check_start(host, settings.token)
    import uvicorn

    from .app import create_app
    uvicorn.run(create_app(inferencer, settings), host=host, port=port,
                access_log=False, server_header=False, limit_concurrency=32 * settings.max_queue,
                timeout_graceful_shutdown=round(settings.timeout) + 1)
