"""Where Objects365 differs from other COCO-format data: names, paths, images that are missing."""

#: Version 2 spells some of its categories wrong; the text encoder should read what is meant.
V2_NAMES = {
    'Moniter/TV': 'Monitor/TV', 'Bakset': 'Basket', 'Ballon': 'Balloon',
    'Dinning Table': 'Dining Table', 'Tea pot': 'Teapot', 'Billards': 'Billiards',
    'Extention Cord': 'Extension Cord', 'Hotair ballon': 'Hot air balloon',
    'Hamimelon': 'Hami melon', 'Mushroon': 'Mushroom', 'Tape Measur/ Ruler': 'Tape Measure/Ruler',
    'Campel': 'Camel', 'Meat ball': 'Meatball', 'Buttefly': 'Butterfly', 'Noddles': 'Noodles',
    'Table Teniis paddle': 'Table Tennis paddle',
}
#: The file names start with folders that the archives do not have.
V2_PREFIXES = ('images/v1/', 'images/v2/')
#: Ids of training images that MMDetection found to be missing from the archives.
V1_MISSING = frozenset({6, 19, 23})
V2_MISSING = frozenset({908726, 320532, 320534})
