"""Differences of Objects365 from other COCO-format data: names, paths, missing images."""

#: Corrections of misspelt categories in version 2, for the text encoder.
V2_NAMES = {
    'Moniter/TV': 'Monitor/TV', 'Bakset': 'Basket', 'Ballon': 'Balloon',
    'Dinning Table': 'Dining Table', 'Tea pot': 'Teapot', 'Billards': 'Billiards',
    'Extention Cord': 'Extension Cord', 'Hotair ballon': 'Hot air balloon',
    'Hamimelon': 'Hami melon', 'Mushroon': 'Mushroom', 'Tape Measur/ Ruler': 'Tape Measure/Ruler',
    'Campel': 'Camel', 'Meat ball': 'Meatball', 'Buttefly': 'Butterfly', 'Noddles': 'Noodles',
    'Table Teniis paddle': 'Table Tennis paddle',
}
#: Prefixes of file names for folders that the archives do not have.
V2_PREFIXES = ('images/v1/', 'images/v2/')
#: Ids of training images that MMDetection found missing from the archives.
V1_MISSING = frozenset({6, 19, 23})
V2_MISSING = frozenset({908726, 320532, 320534})
