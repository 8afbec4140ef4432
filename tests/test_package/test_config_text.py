"""Configs are written so that reading gives the same values, and runs nothing."""

import math

import pytest
from mmengine.config import Config

from glip_mm.config_text import comment, config_text, text_literal

NAMES = ["a'b", "x'];import os#", 'line\nbreak', 'back\\slash\\', '{}', '{{x}}', '{{{',
         "'''", '"""', 'ünïcode 猫', '\ud800', '\0', '{{ fileDirname }}', '{{_base_.model}}',
         "{{$NONE:'+str(open('ran','w'))+'}}", '{{"$NONE:1"}}', '# x', 'class', 'ﬁ', ' ', '']


def read(path, text):
    path.write_bytes(text.encode())
    return Config.fromfile(path)


@pytest.mark.parametrize('name', NAMES)
def test_names_stay_names(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = dict(by_name={name: dict(path=name), 'other': [name, (name, ), {name: {}}]},
                   name=name)
    found = read(tmp_path / 'a.py', comment(name) + config_text(content))
    assert found.to_dict() == content
    assert Config(content).pretty_text == config_text(content)
    Config(content).dump(tmp_path / 'b.py')  # as MMEngine's runner does
    assert Config.fromfile(tmp_path / 'b.py').to_dict() == content
    assert not (tmp_path / 'ran').exists()


def test_plain_values(tmp_path):
    content = dict(a=dict(x=1, y=-2.5, z=1e-7, t=True, n=None), empty={}, one=(1, ), none=(),
                   long=['name ' * 9] * 5, deep={'k': [dict(a=[dict(b=(1, [2]))])]},
                   big=float('inf'), small=-math.inf, numbers={1: 'a', 2.5: 'b'})
    found = read(tmp_path / 'a.py', config_text(content))
    assert found.to_dict() == content and type(found.one) is tuple
    assert all(len(line) <= 100 for line in config_text(content).split('\n'))
    assert math.isnan(read(tmp_path / 'b.py', config_text(dict(x=math.nan))).x)
    # the order in which a config was put together is none of its values
    assert config_text(dict(b=1, a=dict(d=1, c=2))) == 'a = dict(c=2, d=1)\nb = 1\n'


def test_a_comment_is_one_line():
    assert comment("data\nimport os\r\x0cé") == '# data\\nimport os\\r\\x0cé\n'
    assert comment('{{ fileDirname }}') == '# { { fileDirname }}\n'
    assert text_literal('{{a') == r"'\x7b{a'"


@pytest.mark.parametrize('content, message', [
    ({"x'": 1}, "cannot be a key"), ({'_base_': 'x'}, "'_base_' cannot be a key"),
    ({'import': 1}, 'cannot be a key'), ({'__import__': 1}, 'cannot be a key'),
    (dict(a=dict(b=object())), 'a.b is .* a object: a config'),
    (dict(a=[{(1, ): 1}]), r'a\[0\] has the key')])
def test_what_no_config_holds(content, message):
    with pytest.raises(ValueError, match=message):
        config_text(content)


def test_nesting_ends():
    nested: list = []
    nested.append(nested)
    with pytest.raises(ValueError, match='nested more than'):
        config_text(dict(a=nested))


def test_objects_of_the_users_own_config(tmp_path):
    text = config_text(dict(a=Config, b=object, c={1, 2}), strict=False)
    assert text == "a = 'mmengine.config.config.Config'\nb = 'builtins.object'\nc = '{1, 2}'\n"
    assert config_text({'a-b\n': 1}, strict=False) == "# 'a-b\\n': 1\n"


def test_keys_that_steer_are_refused():
    with pytest.raises(ValueError, match="model.caption_prompt has the key '_delete_'"):
        config_text(dict(model=dict(caption_prompt={'_delete_': dict(name='a')})))
    with pytest.raises(ValueError, match="'_delete_' cannot be a key"):
        config_text(dict(_delete_=True))
    assert config_text(dict(hook=dict(_delete_=True, a=1))) == 'hook = dict(_delete_=True, a=1)\n'
