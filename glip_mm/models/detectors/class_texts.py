"""The text that stands for a class: its name, and what is known of it."""

from collections.abc import Sequence

from mmengine.logging import MMLogger

from glip_mm.models.language_models import BertLanguageModel
from glip_mm.text import Knowledge, clean_name

#: Names of classes in one message, at most.
REPORTED = 20


class ClassTexts:
    """Writes ``NAME: DEFINITION`` for each class, and says once what it cannot.

    Args:
        language_model: encoder, whose token budget limits a text.
        knowledge: Definitions; ``None`` writes the names alone.
        strict: Raise an error for a class without a definition, instead of a warning.
    """

    def __init__(self, language_model: BertLanguageModel, knowledge: Knowledge | None = None,
                 strict: bool = False) -> None:
        self.language_model, self.knowledge, self.strict = language_model, knowledge, strict
        self._texts: dict[tuple[str, str], str] = {}

    def __call__(self, names: Sequence[str], written: Sequence[str]) -> list[str]:
        """Return the text of each class.

        Args:
            names: Raw class names.
            written: their texts in a prompt. What a user wrote (``caption_prompt``) is kept;
                else the file's ``clean_name`` comes before the cleaned name.

        Raises:
            ValueError: In strict mode, for a class without a definition.
        """
        keys = list(zip(names, written))
        new = [key for key in dict.fromkeys(keys) if key not in self._texts]
        if new:
            texts = self._compose(new)
            self._report_long(new, texts)
            self._texts.update(zip(new, texts))
        return [self._texts[key] for key in keys]

    def _compose(self, keys: Sequence[tuple[str, str]]) -> list[str]:
        if self.knowledge is None:
            return [written for _, written in keys]
        texts, bare = [], []
        for name, written in keys:
            known = self.knowledge(name)
            if known is not None and known.clean_name is not None and written == clean_name(name):
                written = known.clean_name
            if known is None or not known.definition:
                bare.append(name)
                texts.append(written)
            else:
                texts.append(f'{written}: {known.definition}')
        if bare:
            self._report_bare(self.knowledge, list(dict.fromkeys(bare)))
        return texts

    def _report_bare(self, knowledge: Knowledge, names: Sequence[str]) -> None:
        text = (f"knowledge '{knowledge.path}' has no definition"
                + (f' {knowledge.types}' if knowledge.types else '')
                + f' of {_some(names)}')
        if self.strict:
            raise ValueError(f'{text}; add them, or set model.class_texts.strict=False to use '
                             'the bare names')
        MMLogger.get_current_instance().warning(f'{text}: the bare names are used')

    def _report_long(self, keys: Sequence[tuple[str, str]], texts: Sequence[str]) -> None:
        room = self.language_model.max_tokens - 2  # [CLS] and [SEP]
        long = [name for (name, _), count in zip(keys, self.language_model.count_tokens(texts))
                if count > room]
        if long:
            MMLogger.get_current_instance().warning(
                f'the texts of {_some(long)} are longer than language_model.max_tokens='
                f'{self.language_model.max_tokens} and lose their ends')


def _some(names: Sequence[str]) -> str:
    more = len(names) - REPORTED
    return f'{list(names[:REPORTED])}' + (f' and {more} more' if more > 0 else '')
