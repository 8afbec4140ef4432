"""Bodies of requests: read within limits, in memory alone."""

from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from .queries import check_fields, json_of
from .settings import Refused

#: Fields of a form that may come several times.
_LISTS = ('names', 'negatives')


async def read_body(request: Request, most: int) -> bytes:
    """Read a body.

    Raises:
        Refused: 413 if it is larger than ``most`` bytes.
    """
    body = bytearray()
    declared = request.headers.get('content-length', '')
    too_large = declared.isdecimal() and int(declared) > most
    if not too_large:
        async for chunk in request.stream():
            body += chunk
            if too_large := len(body) > most:
                break
    if too_large:
        raise Refused(413, f'the request is larger than the {most} bytes that are taken',
                      {'Connection': 'close'})
    return bytes(body)


async def object_of(request: Request, most: int) -> dict[str, Any]:
    """Read a body that is a JSON object.

    Raises:
        Refused: 413 if it is too large, 422 if it is none.
    """
    content = json_of(await read_body(request, most), 'the body')
    if not isinstance(content, dict):
        raise Refused(422, 'the body must be a JSON object')
    return content


async def detection_of(request: Request, most: int) -> tuple[bytes | str | None, dict[str, Any]]:
    """Read what is to be detected, from a form or a JSON object.

    Returns:
        The image, encoded (of a form) or in base64, and the other fields.

    Raises:
        Refused: 413 if it is too large, 422 if it is neither.
    """
    if request.headers.get('content-type', '').startswith('multipart/form-data'):
        return await _of_form(request, most)
    fields = await object_of(request, most)
    return fields.pop('image', None), fields


async def _of_form(request: Request, most: int) -> tuple[bytes, dict[str, Any]]:
    body = await read_body(request, most)

    async def stream() -> Any:
        yield body
    parser = MultiPartParser(request.headers, stream(), max_files=1, max_part_size=most)
    parser.spool_max_size = most + 1  # no temporary file
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise Refused(422, f'the form can not be read: {error.message}') from None
    check_fields(form)
    fields: dict[str, Any] = {}
    for name in form:
        values = form.getlist(name)
        if name == 'image':
            continue
        if any(isinstance(value, UploadFile) for value in values):
            raise Refused(422, f"'{name}' must be a text, not a file")
        if name in _LISTS:
            fields[name] = values
        else:
            text = str(values[-1])
            fields[name] = text if name == 'caption' else json_of(text, f"'{name}'")
    image = form.get('image')
    if not isinstance(image, UploadFile):
        raise Refused(422, "'image' must be a file; addresses are not read")
    return await image.read(), fields
