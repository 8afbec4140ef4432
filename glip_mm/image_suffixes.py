"""Suffixes of image files, in one place."""

#: What Pillow and OpenCV read and people have; lower case.
IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.webp', '.bmp', '.tif', '.tiff', '.ppm', '.pgm')
