"""Label Studio's protocol for machine learning backends: its interfaces, tasks and predictions."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from glip_mm.apis.result import GroundingResult
from glip_mm.pseudo_labels.export.label_studio import rectangle

from .settings import Refused


@dataclass(frozen=True)
class Interface:
    """What a labelling interface asks for.

    Args:
        from_name: Name of the control with the labels.
        to_name: Name of the object that shows the image.
        field: Field of a task's data that has the image.
        labels: Name that the model looks for -> label.
    """

    from_name: str
    to_name: str
    field: str
    labels: dict[str, str]

    @classmethod
    def parse(cls, text: object) -> 'Interface':
        """Read the XML of a labelling interface.

        The first ``RectangleLabels`` of an ``Image`` counts. A label is looked for by its
        ``value``, or by the words of its ``predicted_values``, separated by commas; it is called
        by its ``alias`` if it has one.

        Raises:
            Refused: 422 if there are no such labels.
        """
        if not isinstance(text, str) or '<!' in text.replace('<!--', ''):
            raise Refused(422, 'the labelling interface must be XML without entities')
        try:
            root = ElementTree.fromstring(text)
        except (ElementTree.ParseError, ValueError) as error:
            raise Refused(422, f'the labelling interface is no XML: {error}') from None
        images = {tag.get('name'): tag.get('value', '') for tag in root.iter('Image')}
        for control in root.iter('RectangleLabels'):
            name, to_name = control.get('name'), control.get('toName')
            labels = dict(_labels(control))
            if name and to_name and labels and images.get(to_name, '').startswith('$'):
                return cls(name, to_name, images[to_name][1:], labels)
        raise Refused(422, 'the labelling interface has no RectangleLabels with labels for an '
                      'Image whose value is a $field')

    def prediction(self, result: GroundingResult, version: str) -> dict[str, Any]:
        """Convert detections to a prediction of a task; its score is that of the worst box."""
        assert result.size is not None
        found = result.shown
        scores = found.scores.tolist()
        regions = [rectangle(number, box, result.size, self.labels[name], score,
                             self.from_name, self.to_name)
                   for number, (box, name, score)
                   in enumerate(zip(found.boxes.tolist(), found.names, scores))]
        return dict(model_version=version, result=regions, score=min(scores, default=0.))

    def image_of(self, task: object) -> Any:
        """Return the image of a task.

        Raises:
            Refused: 422 if it has none.
        """
        data = task.get('data') if isinstance(task, Mapping) else None
        if not isinstance(data, Mapping) or self.field not in data:
            raise Refused(422, f"the task has no '{self.field}' in its data")
        return data[self.field]


def _labels(control: ElementTree.Element) -> Any:
    for label in control.iter('Label'):
        value = (label.get('value') or '').strip()
        words = [word.strip() for word in (label.get('predicted_values') or '').split(',')]
        for word in [word for word in words if word] or [value]:
            if word:
                yield word, label.get('alias') or value or word
