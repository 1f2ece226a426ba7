"""A data set that is drawn, not downloaded: shapes in a cluttered scene, 32x32 in colour."""

from trainables.glyphs.dataset import MAX_CLASSES as MAX_CLASSES
from trainables.glyphs.dataset import generate as generate
from trainables.glyphs.store import stored as stored
