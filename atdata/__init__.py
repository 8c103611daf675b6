__version__="0.1.0"
from atdata._sample import *
