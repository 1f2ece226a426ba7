"""Why a student is robust, or only looks so."""

from trainables.diagnostics.bound import LinearityBound as LinearityBound
from trainables.diagnostics.bound import linearity_bound as linearity_bound
from trainables.diagnostics.config import DiagnosticsConfig as DiagnosticsConfig
from trainables.diagnostics.config import diagnose as diagnose
from trainables.diagnostics.correlation import Correlation as Correlation
from trainables.diagnostics.correlation import correlate as correlate
from trainables.diagnostics.gaps import EpsilonRow as EpsilonRow
from trainables.diagnostics.gaps import Gaps as Gaps
from trainables.diagnostics.gaps import feature_gaps as feature_gaps
from trainables.diagnostics.gaps import feature_variance as feature_variance
from trainables.diagnostics.gaps import gaps_over_epsilon as gaps_over_epsilon
from trainables.diagnostics.gaps import variance_gap as variance_gap
from trainables.diagnostics.gradients import GradientAgreement as GradientAgreement
from trainables.diagnostics.gradients import gradient_agreement as gradient_agreement
from trainables.diagnostics.likeness import FeatureDistance as FeatureDistance
from trainables.diagnostics.likeness import feature_distance as feature_distance
from trainables.diagnostics.linearity import local_linearity as local_linearity
from trainables.diagnostics.linearity import (
    local_linearity_shao2021 as local_linearity_shao2021,
)
from trainables.diagnostics.linearity import loss_linearity as loss_linearity
from trainables.diagnostics.taylor import taylor_remainder_ratio as taylor_remainder_ratio
