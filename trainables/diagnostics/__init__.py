"""Why a student is robust, or only looks so."""

from trainables.diagnostics.gaps import feature_variance as feature_variance
from trainables.diagnostics.gaps import variance_gap as variance_gap
