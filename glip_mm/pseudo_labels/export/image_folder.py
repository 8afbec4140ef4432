"""Images beside exported labels, for the formats that look for them there."""

from pathlib import Path, PurePosixPath

from .collection import Collection, ExportImage


class ImageFolder:
    """Puts images where a format expects them: a link to the folder, or the files of shards.

    Args:
        collection: What is exported.
        folder: Where the images shall be.

    Raises:
        ValueError: If the labels come without images and nothing says where these are.
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
        """Make sure that an image is there.

        Returns:
            Its name without the suffix: that of its label file.

        Raises:
            ValueError: If it is missing, or its label file would be that of another image.
        """
        name = PurePosixPath(image.name)
        if name.is_absolute() or '..' in name.parts:
            raise ValueError(f"{image.row.where}: '{name}' leads out of the folder of the images; "
                             'label files lie where their images do: give --images, and names '
                             'below it')
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
