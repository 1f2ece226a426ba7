"""Pictures of diagnostics; matplotlib is imported when one is drawn."""

from trainables.diagnostics.pictures.certified_curve import certified_picture as certified_picture
from trainables.diagnostics.pictures.certified_curve import largest_radius as largest_radius
from trainables.diagnostics.pictures.feature_cloud import feature_picture as feature_picture
from trainables.diagnostics.pictures.gap_curves import gap_picture as gap_picture
from trainables.diagnostics.pictures.regression import Series as Series
from trainables.diagnostics.pictures.regression import correlation_picture as correlation_picture
from trainables.diagnostics.pictures.saliency_maps import saliency_picture as saliency_picture
from trainables.diagnostics.pictures.style import as_png as as_png
