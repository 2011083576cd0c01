"""To come."""
from nightlamp.banks.options import ListOptions
from nightlamp.banks.reading import read_list
