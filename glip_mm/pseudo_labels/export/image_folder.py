"""Images beside exported labels, for formats that need them there."""

from pathlib import Path, PurePosixPath

from .collection import Collection, ExportImage


class ImageFolder:
    """Provides images where a format expects them: a link to the folder, or files from shards.

    Args:
        collection: Labels to export.
        folder: Target folder of the images.

    Raises:
        ValueError: If the labels do not contain images and the image folder is unknown.
    """

    def __init__(self, collection: Collection, folder: Path) -> None:
        self.source, self.folder = collection.images_folder, folder
        self._stems: dict[str, str] = {}
        if collection.rows.is_tar:
            return
        if self.source is None:
            raise ValueError('--images is needed: the folder that file names start from')
        folder.symlink_to(Path(self.source).resolve(), target_is_directory=True)

    def add(self, image: ExportImage) -> str:
        """Provide an image.

        Returns:
            Its name without the suffix, which is also that of its label file.

        Raises:
            ValueError: If it is missing, or its label file would be that of another image.
        """
        name = PurePosixPath(image.name)
        if name.is_absolute() or '..' in name.parts or not name.name:
            raise ValueError(f"{image.row.where}: '{name}' leads out of the folder of the images; "
                             'label files lie where their images do: give --images, and names '
                             'below it')
        if len(image.name.splitlines()) > 1:
            raise ValueError(f'{image.row.where}: {image.name!r} is more than one line of a list '
                             'of images: rename the file')
        stem = str(name.with_suffix(''))
        if stem in self._stems:
            first = self._stems[stem]
            raise ValueError(f"{image.row.where}: '{name}' would share a label file with '{first}'"
                             + (': the image has two rows; export them to coco or labelstudio'
                                if first == image.name else ': rename one of them'))
        self._stems[stem] = image.name
        if image.row.packed is None:
            image.row.image_path(self.source)
        else:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(image.row.read_image(None))
        return stem
