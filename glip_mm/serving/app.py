"""The service over HTTP."""

import asyncio
import base64
import binascii
import hmac
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from mmengine.logging import MMLogger
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect

from .bodies import detection_of, object_of
from .service import Service
from .settings import Refused, ServerSettings

if TYPE_CHECKING:
    from glip_mm.apis import GLIPInferencer

#: Names of this machine, those that a browser's page can not take for its own.
LOCAL_HOSTS = ('localhost', '127.0.0.1', '[::1]', '::1')

Handler = Callable[[Request], Awaitable[Response]]


def create_app(inferencer: 'GLIPInferencer', settings: ServerSettings) -> FastAPI:
    """Make an application of a model.

    Args:
        inferencer: The model; the application alone uses it.
        settings: Limits. Without a token only requests to this machine by its own name are
            answered, so that no page in a browser reaches the model.
    """
    service = Service(inferencer, settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(service.close)

    app = FastAPI(title='glip_mm', lifespan=lifespan, openapi_url=None)
    if settings.token is None:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=LOCAL_HOSTS)

    async def detect(request: Request) -> Response:
        image, fields = await detection_of(request, settings.max_bytes)
        return JSONResponse(await service.detect(image, fields))

    async def set_up(request: Request) -> Response:
        body = await object_of(request, settings.max_bytes)
        return JSONResponse(service.set_up(body.get('project'), body.get('schema')))

    async def predict(request: Request) -> Response:
        body = await object_of(request, settings.max_bytes)
        return JSONResponse(await service.predict(
            body.get('project'), body.get('label_config'), body.get('tasks')))

    async def ignore(request: Request) -> Response:
        await object_of(request, settings.max_bytes)
        return JSONResponse({})

    async def health(request: Request) -> Response:
        return JSONResponse({'status': 'UP', 'model_version': service.version})

    async def metrics(request: Request) -> Response:
        return PlainTextResponse(service.metrics.text(service.in_work),
                                 media_type='text/plain; version=0.0.4')

    for path, handler in (('/detect', detect), ('/setup', set_up), ('/predict', predict),
                          ('/webhook', ignore)):
        app.add_api_route(path, _guarded(handler, path, service), methods=['POST'])
    app.add_api_route('/metrics', _guarded(metrics, '/metrics', service, work=False))
    for path in ('/', '/health'):  # open, for balancers
        app.add_api_route(path, health)
    app.add_exception_handler(HTTPException, _not_answered)
    return app


async def _not_answered(request: Request, error: Exception) -> Response:
    """Answer what has no handler: another path, or GET where POST is meant."""
    assert isinstance(error, HTTPException)
    what = f'{request.method} {request.url.path}'
    text = f"'{what:.80}' is not answered: POST /detect, GET /health and GET /metrics are"
    return JSONResponse({'error': text}, error.status_code, error.headers)


def _guarded(handler: Handler, path: str, service: Service, work: bool = True) -> Handler:
    """Let a handler run with a token, a place and a limit of time, and count its answers."""
    settings = service.settings

    async def limited(request: Request) -> Response:
        if not _is_known(request.headers.get('authorization', ''), settings.token):
            raise Refused(401, 'show the token: Authorization: Bearer TOKEN',
                          {'WWW-Authenticate': 'Bearer, Basic'})
        if not work:
            return await handler(request)
        with service.place():
            try:
                return await asyncio.wait_for(handler(request), settings.timeout)
            except (asyncio.TimeoutError, TimeoutError):
                raise Refused(504, f'no answer within {settings.timeout:g} seconds') from None

    async def answer(request: Request) -> Response:
        start = time.perf_counter()
        try:
            response = await limited(request)
        except Refused as refused:
            response = JSONResponse({'error': str(refused)}, refused.status, refused.headers)
        except ClientDisconnect:
            response = Response(status_code=499)  # nobody reads it
        except Exception:
            MMLogger.get_current_instance().exception('%s failed', path)
            response = JSONResponse({'error': 'the server failed; its log says why'}, 500)
        service.metrics.request(path, response.status_code, time.perf_counter() - start)
        return response
    return answer


def _is_known(header: str, token: str | None) -> bool:
    """Return whether a header has the token, as bearer or as password of any user."""
    if token is None:
        return True
    kind, _, shown = header.partition(' ')
    if kind.lower() == 'basic':
        try:
            shown = base64.b64decode(shown).decode().partition(':')[2]
        except (binascii.Error, ValueError):
            return False
    elif kind.lower() != 'bearer':
        return False
    return hmac.compare_digest(shown.strip().encode(), token.encode())
