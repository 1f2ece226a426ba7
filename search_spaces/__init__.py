"""What is searched. A new space is a file and a line in ``SEARCH_SPACES``."""

from search_spaces.digits import DIGITS
from search_spaces.methods import METHODS
from search_spaces.sampling import explore as explore
from search_spaces.sampling import sample as sample
from search_spaces.sampling import unflatten as unflatten
from search_spaces.space import SearchSpace as SearchSpace
from search_spaces.space import SpaceTrial as SpaceTrial

SEARCH_SPACES: dict[str, SearchSpace] = {
    "digits": DIGITS,
    "methods": METHODS,
}
