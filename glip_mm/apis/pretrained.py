"""Models as folders, by the convention of Hugging Face: config, weights, tokenizer, model card.

Nothing in such a folder is code: the config is JSON and names registered classes alone, see
:func:`glip_mm.safe_config.plain_part`; weights are safetensors.
"""

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from glip_mm.atomic_files import new_folder
from glip_mm.datasets.data_error import read_json
from glip_mm.registry import SCOPE
from glip_mm.safe_config import check_numbers, is_half, packaged_language_models, plain_part
from glip_mm.thresholds import Thresholds, thresholds_file
from glip_mm.version import __version__

from .images import pipeline_cfg

CONFIG, WEIGHTS, LANGUAGE_MODEL, CARD = (
    'config.json', 'model.safetensors', 'language_model', 'README.md')
#: Files of such a folder: what a hub is asked for.
FILES = ('*.json', '*.safetensors', '*.txt', '*.md')
#: Files of words, one of which any tokenizer has.
_VOCABULARIES = ('tokenizer.json', 'vocab.txt', 'vocab.json')
#: Parts of keys by which the config of a language model has transformers fetch code or weights.
_NOTE = '_attn_implementation_autoset'
_FETCHED = ('implementation', 'quantization')
#: JSON has no tuples, and some classes of MMDetection take nothing else.
_TUPLE = '__tuple__'


def save_pretrained(folder: str | PathLike, model: Any, cfg: Config,
                    thresholds: Thresholds | None = None) -> Path:
    """Write a model as a folder that :func:`read_pretrained` reads.

    Args:
        folder: New or empty folder.
        model: A GLIP.
        cfg: Its config.
        thresholds: Its thresholds, written where they are not the defaults.

    Returns:
        The folder.

    Raises:
        FileExistsError: If the folder is not empty.
        ValueError: If the config names files or code, which no such folder may.
    """
    from safetensors.torch import save_file
    language = dict(cfg.model.language_model, name=packaged_language_models()[0])
    content = dict(default_scope=cfg.get('default_scope', SCOPE),
                   model={**cfg.model.to_dict(), 'language_model': language},
                   test_pipeline=pipeline_cfg(cfg), test_cfg=dict(fp16=is_half(cfg)))
    try:
        part = plain_part(content, 'the config of the model')
    except ValueError as error:
        raise ValueError(f'a folder for others holds no code and no paths: {error}') from None
    part['model']['language_model']['name'] = LANGUAGE_MODEL
    encoded = _encoded(part)
    if _decoded(json.loads(json.dumps(encoded))) != part:
        raise ValueError('the config of the model has keys or values that JSON does not keep: '
                         'text, numbers, lists and dicts by text do')
    with new_folder(Path(folder)) as new:
        text = json.dumps(dict(architectures=['GLIP'], model_type='glip', library_name='glip_mm',
                               glip_mm_version=__version__, **encoded), indent=1)
        (new / CONFIG).write_text(text + '\n', encoding='utf-8')
        state = {key: value.detach().cpu().contiguous().clone()
                 for key, value in model.state_dict().items() if isinstance(value, torch.Tensor)}
        save_file(state, str(new / WEIGHTS), metadata={'format': 'pt'})
        model.language_model.tokenizer.save_pretrained(str(new / LANGUAGE_MODEL))
        model.language_model.encoder.config.save_pretrained(str(new / LANGUAGE_MODEL))
        _leave_out_private(new / LANGUAGE_MODEL / CONFIG)
        if thresholds is not None and thresholds != Thresholds():
            thresholds.save(thresholds_file(new / WEIGHTS))
        (new / CARD).write_text(_CARD, encoding='utf-8')
    return Path(folder)


def read_pretrained(folder: str | PathLike) -> tuple[Config, str]:
    """Read the config of a folder of :func:`save_pretrained`.

    Returns:
        The config and the path of the weights.

    Raises:
        FileNotFoundError: If the folder lacks a file.
        ValueError: If the config is none, or names anything but registered classes.
    """
    folder = Path(folder)
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"the folder '{folder}' has no {name}: it is none of "
                                    'save_pretrained()')
    source, content = f"'{folder / CONFIG}'", _decoded(read_json(folder / CONFIG))
    language = folder / LANGUAGE_MODEL
    own = isinstance(content, dict) and _of_language_model(content).get('name') == LANGUAGE_MODEL
    if own:
        _check_language_model(language)
        content['model']['language_model']['name'] = packaged_language_models()[0]
    part = plain_part(content if isinstance(content, dict) else {}, source)
    if own:
        part['model']['language_model']['name'] = str(language)
    from .building import plain_config
    return plain_config(part, str(folder / CONFIG)), str(folder / WEIGHTS)


def find_pretrained(name: str | PathLike, revision: str | None = None) -> Path:
    """Find the folder of a model, or download it.

    Args:
        name: A folder, or the id of a model on the hub, ``'owner/name'``.
        revision: Branch, tag or commit on the hub.

    Raises:
        FileNotFoundError: If it is neither, or can not be fetched.
    """
    if Path(name).is_dir():
        return Path(name)
    if not is_hub_id(name):
        raise FileNotFoundError(f"'{name}' is neither a folder nor the id of a model on the hub, "
                                "such as 'owner/name'")
    from huggingface_hub import snapshot_download
    try:
        return Path(snapshot_download(str(name), revision=revision, allow_patterns=list(FILES)))
    except (OSError, ValueError) as error:  # those of the hub and of the network are OSErrors
        reason = ' '.join(str(error).split())[:200] or type(error).__name__
        raise FileNotFoundError(f"'{name}' is no folder here, and can not be fetched from the hub: "
                                f'{reason}') from error


def is_hub_id(name: str | PathLike) -> bool:
    """Return whether a name has the form of an id on the hub."""
    return isinstance(name, str) and re.fullmatch(r'\w[\w.-]*/\w[\w.-]*', name) is not None


def _of_language_model(content: Mapping[str, Any]) -> Mapping[str, Any]:
    model = content.get('model')
    language = model.get('language_model') if isinstance(model, Mapping) else None
    return language if isinstance(language, Mapping) else {}


def _leave_out_private(path: Path) -> None:
    """Remove what transformers 4 keeps for itself in a config, such as a path of this machine."""
    content = {key: value for key, value in read_json(path).items() if key[:1] != '_'}
    path.write_text(json.dumps(content, indent=2) + '\n', encoding='utf-8')


def _check_language_model(folder: Path) -> None:
    """Check that transformers will find no code in the files of a language model."""
    if not (folder / CONFIG).is_file():
        raise FileNotFoundError(f"'{folder}' has no {CONFIG}: the folder is incomplete")
    if not any((folder / name).is_file() for name in _VOCABULARIES):
        # transformers would make a tokenizer that knows no words
        raise FileNotFoundError(f"'{folder}' has none of {', '.join(_VOCABULARIES)}: the folder is "
                                'incomplete')
    for path in folder.iterdir():
        # keys may be escaped, so that the text of the file does not show them
        content = read_json(path) if path.suffix == '.json' else None
        text = ''
        if path.name == CONFIG and isinstance(content, dict):
            # a note of transformers 4, True or False
            text = json.dumps({k: v for k, v in content.items() if k != _NOTE or v not in (0, 1)})
        if path.suffix == '.py' or isinstance(content, dict) and 'auto_map' in content or any(
                word in text for word in _FETCHED):
            raise ValueError(f"'{path}' brings code, or has some fetched, and is not used: a "
                             'language model of save_pretrained() has none')
        if not (path.is_file() or path.is_dir()):
            raise ValueError(f"'{path}' is no regular file, and is not read")
    content, source = read_json(folder / CONFIG), f"'{folder / CONFIG}'"
    # imported late: of a package that takes seconds
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as KNOWN
    kind = content.get('model_type') if isinstance(content, dict) else None
    if not isinstance(kind, str) or kind not in KNOWN:
        raise ValueError(f'{source} has model_type={str(kind)[:80]!r}, which is no language model '
                         'that fills in masked words')
    check_numbers(content, 'language_model', source)


def _encoded(value: Any) -> Any:
    if isinstance(value, tuple):
        return {_TUPLE: [_encoded(item) for item in value]}
    if isinstance(value, list):
        return [_encoded(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _encoded(item) for key, item in value.items()}
    return deepcopy(value)


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {_TUPLE} and isinstance(value[_TUPLE], list):
        return tuple(_decoded(item) for item in value[_TUPLE])
    return {key: _decoded(item) for key, item in value.items()}


_CARD = f'''---
library_name: glip_mm
pipeline_tag: zero-shot-object-detection
tags:
- glip
- object-detection
- phrase-grounding
---

# GLIP

A detector of grounded language-image pre-training (arXiv 2112.03857), saved by glip_mm
{__version__}: it finds what a list of names or a caption says.

```python
from glip_mm.apis import GLIPInferencer

inferencer = GLIPInferencer.from_pretrained('FOLDER OR ID')
result = inferencer('kitchen.jpg', ['cup', 'coffee maker'])[0]
result.shown.names, result.shown.boxes
```

| file | what |
| --- | --- |
| `{CONFIG}` | the network and how images are read, as plain values |
| `{WEIGHTS}` | weights |
| `{LANGUAGE_MODEL}/` | tokenizer and shape of the language model |
| `model.thresholds.json` | score thresholds of names, if any were found |

Say here what the model was trained on, how well it does, and under which license it is.
'''
