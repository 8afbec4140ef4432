"""Words for pictograms beyond their Unicode names: synonyms, hypernyms, plurals."""

from typing import NamedTuple

#: Name -> (synonyms that captions use, synonyms that no training text has). Its keys are the things
#: that detection data name, in the order of their labels.
SYNONYMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    'dog': (('pet dog',), ('canine', 'hound')), 'cat': (('pet cat',), ('feline', 'kitty')),
    'horse': ((), ('stallion', 'steed')), 'pig': ((), ('hog', 'swine')),
    'cow': (('dairy cow',), ('cattle',)), 'rooster': ((), ('cockerel',)),
    'rabbit': ((), ('bunny', 'hare')), 'rat': ((), ('rodent',)), 'elephant': ((), ()),
    'frog': ((), ('toad',)), 'turtle': ((), ('tortoise',)), 'snake': ((), ('serpent', 'viper')),
    'crocodile': ((), ('alligator',)), 'octopus': ((), ()), 'crab': ((), ()),
    'snail': ((), ('slug',)), 'butterfly': ((), ()), 'honeybee': (('bee',), ('bumblebee',)),
    'lady beetle': ((), ('ladybug', 'ladybird')), 'spider': ((), ('tarantula',)),
    'owl': ((), ()), 'penguin': ((), ()), 'duck': ((), ('mallard',)),
    'parrot': ((), ('macaw',)), 'fox': ((), ('vixen',)), 'zebra': ((), ()),
    'rose': ((), ()), 'sunflower': ((), ()), 'mushroom': ((), ('toadstool',)),
    'cactus': ((), ('succulent',)), 'banana': ((), ('plantain',)), 'strawberry': ((), ()),
    'tangerine': (('orange fruit',), ('mandarin', 'clementine')), 'pineapple': ((), ()),
    'watermelon': ((), ()), 'eggplant': ((), ('aubergine',)),
    'ear of corn': (('corn',), ('maize', 'sweetcorn')),
    'hot pepper': (('chili pepper',), ('chilli',)),
    'carrot': ((), ()), 'broccoli': ((), ()), 'bread': (('loaf of bread',), ('toast',)),
    'croissant': ((), ('pastry',)), 'doughnut': (('ring doughnut',), ('donut',)),
    'hamburger': (('burger',), ('cheeseburger',)), 'french fries': (('fries',), ('chips',)),
    'pizza': (('slice of pizza',), ()), 'cookie': ((), ('biscuit',)),
    'lollipop': ((), ('sucker',)),
    'soft ice cream': (('ice cream cone',), ('gelato', 'soft serve')),
    'wine glass': (('glass of wine',), ('goblet',)),
    'hot beverage': (('cup of coffee',), ('tea', 'espresso')),
    'teapot': (('pot of tea',), ('kettle',)), 'automobile': (('car',), ('sedan', 'hatchback')),
    'bus': (('city bus',), ('coach',)), 'taxi': (('taxi car',), ('cab',)),
    'bicycle': (('bike',), ('pushbike', 'cycle')), 'motorcycle': (('motorbike',), ('moped',)),
    'airplane': (('plane',), ('aeroplane', 'jetliner', 'aircraft')),
    'helicopter': ((), ('chopper',)), 'ship': ((), ('vessel', 'steamer')),
    'sailboat': (('sailing boat',), ('yacht',)), 'tractor': ((), ()),
    'locomotive': (('steam locomotive',), ('steam engine',)),
    'rocket': ((), ('spaceship', 'spacecraft')),
    'tent': ((), ('marquee',)), 'house': (('family house',), ('home', 'cottage')),
    'castle': ((), ('fortress', 'citadel')), 'church': ((), ('chapel', 'cathedral')),
    'watch': ((), ('wristwatch',)), 'closed umbrella': ((), ('parasol',)), 'balloon': ((), ()),
    'soccer ball': ((), ('football',)), 'trophy': ((), ('prize', 'award')),
    'teddy bear': ((), ('stuffed toy', 'plush toy')), 'kite': ((), ()),
    'glasses': (('eye glasses',), ('spectacles', 'eyewear')), 'necktie': ((), ('cravat',)),
    'jeans': (('blue jeans',), ('trousers', 'pants', 'denim')), 'dress': ((), ('gown', 'frock')),
    'handbag': (('hand bag',), ('purse',)), 'backpack': (('back pack',), ('rucksack', 'knapsack')),
    'crown': (('golden crown',), ('tiara',)), 'top hat': ((), ()), 'ring': (('diamond ring',), ()),
    'telephone': (('phone',), ('landline',)), 'television': (('tv',), ('telly',)),
    'camera': (('photo camera',), ()), 'light bulb': ((), ('lightbulb',)), 'candle': ((), ()),
    'envelope': ((), ('letter',)), 'pencil': ((), ()), 'scissors': ((), ('shears',)),
    'key': (('door key',), ()), 'hammer': ((), ('mallet',)), 'wrench': ((), ('spanner',)),
    'screwdriver': ((), ()), 'gear': (('gear wheel',), ('cog', 'cogwheel')),
    'axe': ((), ('hatchet',)),
    'microscope': ((), ()), 'toilet': (('toilet bowl',), ('lavatory',)),
    'wastebasket': ((), ('trash can', 'dustbin')), 'guitar': ((), ('ukulele',)),
    'violin': ((), ('fiddle',)), 'trumpet': ((), ('bugle', 'cornet')),
    'saxophone': (('sax',), ()), 'robot': ((), ('android',)), 'ghost': ((), ('phantom', 'spook')),
    'skull': ((), ('cranium',)), 'gem stone': (('gem',), ('jewel', 'crystal')),
    'shopping cart': (('shopping trolley',), ()), 'toothbrush': ((), ()),
    'bucket': ((), ('pail',)), 'coffin': ((), ('casket',)), 'pill': ((), ('tablet', 'medicine'))}


class Hypernym(NamedTuple):
    """A word for many things.

    Attributes:
        plural: Its plural.
        spoken: Whether captions of the training use it.
        subgroups: Unicode subgroups whose things it names.
        names: Names of further things.
        but: Names of the subgroups that it does not fit.
    """

    plural: str
    spoken: bool
    subgroups: str = ''
    names: str = ''
    but: str = ''

    def fits(self, name: str, subgroup: str) -> bool:
        """Return whether it names a thing."""
        return (subgroup in self.subgroups.split() and name not in self.but.split(', ')
                or name in self.names.split(', '))


_SEA = 'spiral shell, coral'
HYPERNYMS: dict[str, Hypernym] = {
    'animal': Hypernym(
        'animals', True, 'animal-mammal animal-bird animal-amphibian animal-reptile animal-marine '
        'animal-bug', but=f'pig nose, paw prints, spider web, microbe, feather, wing, {_SEA}'),
    'bird': Hypernym('birds', True, 'animal-bird', but='feather, wing'),
    'flower': Hypernym('flowers', True, 'plant-flower', but='rosette'),
    'tree': Hypernym('trees', True, names='evergreen tree, deciduous tree, palm tree, leafless '
                     'tree, christmas tree, tanabata tree'),
    'fruit': Hypernym('fruits', True, 'food-fruit', but='tomato, olive'),
    'drink': Hypernym('drinks', True, 'drink', but='baby bottle, teapot, ice'),
    'vehicle': Hypernym(
        'vehicles', True, 'transport-water', but='anchor, ring buoy',
        names='locomotive, railway car, high-speed train, bullet train, train, metro, light rail, '
        'tram, monorail, mountain railway, tram car, bus, oncoming bus, trolleybus, minibus, '
        'ambulance, fire engine, police car, oncoming police car, taxi, oncoming taxi, automobile, '
        'oncoming automobile, sport utility vehicle, pickup truck, delivery truck, articulated '
        'lorry, tractor, racing car, motorcycle, motor scooter, auto rickshaw, bicycle, airplane, '
        'small airplane, helicopter, rocket'),
    'boat': Hypernym('boats', True, 'transport-water', but='anchor, ring buoy'),
    'building': Hypernym('buildings', True, 'place-building place-religious',
                         but='building construction, brick, rock, wood, statue of liberty'),
    'ball': Hypernym('balls', True, names='soccer ball, baseball, softball, basketball, '
                     'volleyball, american football, rugby football, crystal ball, '
                     'mirror ball, confetti ball'),
    'tool': Hypernym('tools', True, names='hammer, axe, pick, hammer and pick, hammer and wrench, '
                     'carpentry saw, wrench, screwdriver, clamp, shovel'),
    'bag': Hypernym('bags', True, names='purse, handbag, clutch bag, shopping bags, backpack, '
                    'briefcase, luggage, money bag'),
    'hat': Hypernym('hats', True, names="top hat, graduation cap, billed cap, woman's hat"),
    'body part': Hypernym('body parts', True, 'body-parts'),
    'person': Hypernym('people', True, 'person-role person-fantasy person-sport',
                       names='baby', but='horse racing, troll, genie, merperson, mermaid, merman'),
    'insect': Hypernym('insects', False, names='butterfly, ant, honeybee, beetle, lady beetle, '
                       'cricket, cockroach, mosquito, fly'),
    'reptile': Hypernym('reptiles', False, 'animal-reptile'),
    'vegetable': Hypernym('vegetables', False, 'food-vegetable', but='peanuts, chestnut',
                          names='tomato'),
    'dessert': Hypernym('desserts', False, 'food-sweet', but='honey pot'),
    'weapon': Hypernym('weapons', False, names='dagger, crossed swords, bomb, bow and arrow, '
                       'boomerang, water pistol'),
    'footwear': Hypernym('footwear', False, names="thong sandal, man's shoe, running shoe, hiking "
                         "boot, flat shoe, high-heeled shoe, woman's sandal, ballet shoes, "
                         "woman's boot, roller skate, ice skate"),
    'instrument': Hypernym('instruments', False, 'musical-instrument'),
    'furniture': Hypernym('furniture', False, names='bed, couch and lamp, chair'),
    'garment': Hypernym('garments', False, names='lab coat, safety vest, t-shirt, jeans, scarf, '
                        'coat, dress, kimono, sari, shorts, running shirt, socks, gloves, briefs, '
                        'bikini, one-piece swimsuit, necktie'),
    'jewelry': Hypernym('jewelry', False, names='ring, crown, gem stone, prayer beads'),
    'toy': Hypernym('toys', False, names='yo-yo, kite, teddy bear, nesting dolls, puzzle piece, '
                    'balloon'),
    'predator': Hypernym('predators', False, names='lion, tiger, leopard, wolf, shark, crocodile, '
                         'eagle'),
    'timepiece': Hypernym('timepieces', False, names='watch, alarm clock, stopwatch, timer clock, '
                          'mantelpiece clock, hourglass done, hourglass not done'),
    'stationery': Hypernym('stationery', False, 'writing', but='memo, paintbrush',
                           names='paperclip, pushpin, scissors, straight ruler, envelope, '
                           'spiral notepad'),
}

_IRREGULAR = dict(
    mouse='mice', goose='geese', child='children', tooth='teeth', foot='feet', person='people',
    knife='knives', leaf='leaves', wolf='wolves', loaf='loaves', scarf='scarves', ox='oxen',
    fish='fish', sheep='sheep', deer='deer', bison='bison', shrimp='shrimp', squid='squid',
    moose='moose', dice='dice', bread='bread', salt='salt', ice='ice', headphone='headphones')
_HEADS = (' of ', ' with ', ' without ', ' in ', ' on ', ' behind ', ' over ', ' showing ', ' at ')


def is_plural(name: str) -> bool:
    """Return whether a name is a plural already, such as 'scissors' or 'nest with eggs' (no)."""
    head = _head(name).split()[-1]
    return head.endswith('s') and not head.endswith(('ss', 'us', 'is', 'as')) or ' and ' in name


def _head(name: str) -> str:
    """Return the words up to the noun that takes the plural."""
    if name.startswith('person '):
        return 'person'
    cut = min((at for word in _HEADS if (at := name.find(word)) > 0), default=len(name))
    return name[:cut]


def plural(name: str) -> str:
    """Return the plural of a name, such as 'slices of pizza'."""
    if is_plural(name):
        return name
    head = _head(name)
    first, space, noun = head.rpartition(' ')
    if noun in _IRREGULAR:
        many = _IRREGULAR[noun]
    elif noun.endswith(('s', 'x', 'ch', 'sh')):
        many = noun + 'es'
    elif noun.endswith('y') and noun[-2:-1] not in ('a', 'e', 'o', 'u'):
        many = noun[:-1] + 'ies'
    else:
        many = noun + 's'
    return first + space + many + name[len(head):]
