"""Bodies of requests to the server, and the labelling interfaces and tasks in them."""

import base64
import json
import math
from collections.abc import Callable
from typing import Any

from dev.robustness.mutations import DAMAGE, VALUES, dump, put, shuffled
from dev.robustness.tries import Place, Refusal, Try
from dev.robustness.world import World

TITLE = 'requests to the server'
_NAMES = ['cat', 'dog']
_XML = ('<View><Image name="i" value="$image"/><RectangleLabels name="l" toName="i">'
        '<Label value="cat"/><Label value="dog"/></RectangleLabels></View>')


def prepare(world: World) -> None:
    """Keep an inferencer, and what it finds."""
    from glip_mm.apis import GLIPInferencer
    inferencer = GLIPInferencer(world.model, cfg=world.config, show_progress=False)
    world.kept['served'] = inferencer
    world.kept['found'] = inferencer(str(world.folder / '0.png'), _NAMES, pred_score_thr=0.
                                     )[0].to_dict()
    import fastapi.testclient  # noqa: F401

    import glip_mm.serving  # noqa: F401


def make(place: Place) -> Try:
    """Write a body, and post it."""
    return place.rng.choice([_detect, _detect, _task])(place)


def _post(place: Place, path: str, body: bytes, headers: dict[str, str]) -> Any:
    """Return the answer of a server of its own.

    Raises:
        Refusal: If it says what the client did wrong.
    """
    from fastapi.testclient import TestClient

    from glip_mm.serving import ServerSettings, create_app
    settings = ServerSettings(max_bytes=1 << 20, max_pixels=1 << 20, media_root=place.folder)
    with TestClient(create_app(place.world.kept['served'], settings),
                    base_url='http://localhost') as client:
        answer = client.post(path, content=body, headers=headers)
    if 400 <= answer.status_code < 500:
        raise Refusal(answer.json()['error'])
    assert answer.status_code == 200, f'{answer.status_code}: {answer.text:.300}'
    return answer.json()


def _valid(place: Place) -> dict[str, Any]:
    image = base64.b64encode((place.world.folder / '0.png').read_bytes()).decode()
    return dict(image=image, names=_NAMES, threshold=0, negatives=['tree'])


def _detect(place: Place) -> Try:
    rng, fields, drawn = place.rng, _valid(place), place.rng.random()
    headers = {'content-type': 'application/json'}
    named: tuple[str, ...] | None = None
    exact = True
    if drawn < .25:
        fields['negatives'] = []
        what = rng.choice(['order of keys', 'escapes', 'blanks', 'data URL', 'form', 'UTF-16'])
        if what == 'data URL':
            fields['image'] = f'data:image/png;base64,{fields["image"]}'
        written = {k: fields[k] for k in rng.sample(sorted(fields), len(fields))}
        body = json.dumps(written, indent=2 if what == 'blanks' else None).encode(
            'utf-16' if what == 'UTF-16' else 'utf-8')
        if what == 'form':
            body, headers = _form(fields)
    elif drawn < .45:
        cause = rng.choice(sorted(DAMAGE))
        what, body, named = f'damage: {cause}', DAMAGE[cause](rng, json.dumps(fields).encode()), (
            'body', )
        exact = False
        if rng.random() < .3 and cause != 'nothing':
            what, (body, headers) = f'a form, {cause}', _form(fields)
            body, named = DAMAGE[cause](rng, body), ('', )
            exact = cause not in ('a NUL byte', 'a byte that is no UTF-8')  # they hit the image
    elif drawn < .55:
        what, named = rng.choice([('path', 'unknown'), ('__class__', 'unknown'),
                                  ('cfg_options', 'unknown')])
        body, named, exact = json.dumps({**fields, what: 7}).encode(), (named, ), False
    elif drawn < .65:
        what, content = rng.choice([
            ('too large', b'x' * (1 << 20)), ('a bomb', _bomb()), ('no image', b'x' * 99),
            ('PostScript', b'%!PS\n(canary) (w) file'), ('SVG', b'<svg><image href="/x"/></svg>')])
        body, named, exact = json.dumps({**fields, 'image': base64.b64encode(content).decode()}
                                        ).encode(), ('', ), False
    else:
        where = rng.choice([('image', ), ('names', ), ('names', 1), ('threshold', ),
                            ('negatives', ), ('negatives', 0), ('caption', ), ('spans', )])
        value = rng.choice(VALUES)
        if where[0] in ('caption', 'spans'):
            fields.pop('names')
            fields.pop('negatives')
            fields |= dict(caption='a cat and a dog', spans=[[[0, 5]]])
        what, body = f'{where} is {value!r:.40}', dump(put(fields, where, value)).encode()
        named, exact = ('', ), False
        texts = where in (('names', 1), ('negatives', 0), ('caption', )) and isinstance(value, str)
        free = value is None or value in ([], {}, {'a': 1}) or type(value) in (int, float) and (
            value == 0)
        if not texts and not (where[0] in ('threshold', 'negatives', 'spans', 'caption') and free
                              or where == ('spans', )):
            return Try(f'detect: {what}', lambda: _post(place, '/detect', body, headers), None,
                       named)

    def wrong(found: Any) -> str | None:
        if exact:
            return _differs(found, place.world.kept['found'])
        return None if math.isfinite(sum(found['scores'])) and len(found['boxes']) == len(
            found['scores']) else f'{found!r:.300}'
    return Try(f'detect: {what}', lambda: _post(place, '/detect', body, headers),
               wrong if exact or drawn >= .65 or 'form' in what else None, named)


def _differs(found: dict, right: dict) -> str | None:
    same = found['names'] == right['names'] and all(
        math.isclose(a, b, abs_tol=1e-3) for a, b in zip(found['scores'], right['scores']))
    return None if same else f'{found!r:.300} where {right!r:.300} is right'


def _bomb() -> bytes:
    import io

    from PIL import Image
    data = io.BytesIO()
    Image.new('1', (1 << 14, 1 << 12)).save(data, 'png')
    return data.getvalue()


def _form(fields: dict) -> tuple[bytes, dict[str, str]]:
    parts = [b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
             + base64.b64decode(fields['image'])]
    parts += [f'--x\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}'.encode()
              for key, value in [*(('names', name) for name in fields['names']), ('threshold', 0)]]
    return b'\r\n'.join([*parts, b'--x--\r\n']), {
        'content-type': 'multipart/form-data; boundary=x'}


def _task(place: Place) -> Try:
    """Ask as Label Studio does: an interface in XML, and tasks with addresses of images."""
    rng = place.rng
    place.world.link(0, place.folder / 'upload/0.png')
    secret = place.outside / 'secret.png'
    images: dict[str, bool] = {
        '/data/upload/0.png': True, '/data/local-files/?d=upload/0.png': True,
        f'/data/local-files/?d={place.out("secret.png", place.folder)}': False,
        f'/data/local-files/?d={secret}': False, '/data/upload/../../outside/secret.png': False,
        f'file://{secret}': False, str(secret): False, 'http://127.0.0.1:9/a.png': False,
        '/data/upload/gone.png': False, '/data/local-files/?d=%00': False, '/data/upload/': False,
        '/data/local-files/?d=/dev/zero': False}
    image = rng.choice(sorted(images))
    content: Any = dict(project='1.2', label_config=_XML,
                        tasks=[dict(id=7, data=dict(image=image))])
    right, what = images[image], f'image {image}'
    drawn = rng.random()
    if drawn < .35:
        bomb = '<!DOCTYPE x [' + ''.join(
            f'<!ENTITY {b} "{f"&{a};" * 9}">' for a, b in zip('abcdefgh', 'bcdefghi')) + ']>'
        xmls: dict[str, Callable[[], str]] = {
            'entities': lambda: f'{bomb}{_XML.replace("cat", "&i;")}', 'no XML': lambda: _XML[:40],
            'a file': lambda: f'<!DOCTYPE x [<!ENTITY f SYSTEM "{secret}">]>{_XML}',
            'nesting': lambda: '<a>' * 99_999, 'no labels': lambda: '<View/>', 'empty': str,
            'NUL': lambda: _XML.replace('cat', 'c\0t'),
            'a surrogate': lambda: _XML.replace('cat', 'c\ud800t')}
        what = rng.choice(sorted(xmls))
        content, right = {**content, 'label_config': xmls[what]()}, False
    elif drawn < .7:
        where = rng.choice([('project', ), ('label_config', ), ('tasks', ), ('tasks', 0),
                            ('tasks', 0, 'data'), ('tasks', 0, 'data', 'image')])
        value = rng.choice(VALUES)
        what, content = f'{where} is {value!r:.40}', put(content, where, value)
        right = right and where == ('project', )
    elif drawn < .8:
        content = shuffled(rng, content)
    body = dump(content).encode()

    def wrong(found: Any) -> str | None:
        if content.get('tasks') == [] and found == {'results': []}:
            return None
        regions = found['results'][0]['result']
        return None if right and regions and all(
            region['value']['rectanglelabels'][0] in _NAMES for region in regions) else (
                f'{found!r:.300}')
    return Try(f'predict: {what}', lambda: _post(place, '/predict', body, {
        'content-type': 'application/json'}), wrong, None if right else ('', ))
