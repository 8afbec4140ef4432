"""Images beside exported labels."""

import posixpath
import shutil
from pathlib import Path, PurePosixPath

from .collection import Collection, ExportImage


class ImageFolder:
    """Provides images where a format expects them: by a link to their folder, as copies, or not.

    Args:
        collection: Labels to export.
        folder: Target folder of the images.
        images_as: ``'link'``, ``'copy'`` or ``'none'``, if the collection leaves it open.

    Raises:
        ValueError: If the labels do not contain images and the image folder is unknown.
    """

    def __init__(self, collection: Collection, folder: Path, images_as: str = 'link') -> None:
        self.source, self.folder = collection.images_folder, folder
        self.images_as = collection.images_as or images_as
        self._stems: dict[str, str] = {}
        if collection.rows.is_tar or self.images_as == 'none':
            return
        if self.source is None:
            raise ValueError('--images is needed: the folder that file names start from')
        if self.images_as == 'link':
            folder.symlink_to(Path(self.source).resolve(), target_is_directory=True)

    def add(self, image: ExportImage) -> None:
        """Provide an image.

        Raises:
            ValueError: If it is missing, or its name leads out of the folder.
        """
        if self.images_as == 'none':
            return
        name = _name_below(image)
        path = None if image.row.packed else image.row.image_path(self.source)
        if path and self.images_as == 'link':
            return
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if path:
            shutil.copyfile(path, target)
        else:
            target.write_bytes(image.row.read_image(None))

    def add_with_labels(self, image: ExportImage) -> str:
        """Provide an image that has a label file of its own.

        Returns:
            Its name without the suffix, which is also that of its label file.

        Raises:
            ValueError: See :meth:`add`; or if its label file would be that of another image, or the
                image is not wanted.
        """
        if self.images_as == 'none':
            raise ValueError("--images-as none: label files lie where their images do; choose "
                             "'link' or 'copy', or another format")
        name = _name_below(image)
        if len(image.name.splitlines()) > 1:
            raise ValueError(f'{image.row.where}: {image.name!r} is more than one line of a list '
                             'of images: rename the file')
        stem = str(name.with_suffix(''))
        if stem in self._stems:
            first = self._stems[stem]
            raise ValueError(f"{image.row.where}: '{name}' would share a label file with "
                             f"'{first}'" + (
                                 ': the image has two rows; export them to coco or labelstudio'
                                 if first == image.name else ': rename one of them, or export to '
                                 'coco'))
        self._stems[stem] = image.name
        self.add(image)
        return stem


def _name_below(image: ExportImage) -> PurePosixPath:
    """Return the name of an image, which must not lead out of their folder."""
    name, short = PurePosixPath(image.name), posixpath.normpath(image.name)
    fault = ('is an absolute path' if name.is_absolute() else
             'leads out of the folder of the images' if short in ('.', '..')
             or short.startswith('../') else
             f"goes a folder up, so that it is no plain path as '{short}' is" if '..' in name.parts
             else '')
    if fault:
        raise ValueError(f"{image.row.where}: '{name}' {fault}; label files lie where their "
                         'images do: give --images, and plain names below it')
    return name
