"""Training methods, one paper per file. A new one is a file and a line in ``METHODS``."""

from trainables.methods.adaad import AdaptiveAdversarialDistillation
from trainables.methods.adversarial_training import AdversarialTraining
from trainables.methods.ard import AdversariallyRobustDistillation
from trainables.methods.base import Method as Method
from trainables.methods.batch import Batch as Batch
from trainables.methods.batch import View as View
from trainables.methods.divergence import Reduction as Reduction
from trainables.methods.divergence import kl_to_teacher as kl_to_teacher
from trainables.methods.iad import (
    AdaptiveIntrospectiveDistillation,
    IntrospectiveDistillation1,
    IntrospectiveDistillation2,
)
from trainables.methods.kd import KnowledgeDistillation
from trainables.methods.kdiga import Kdiga, KdigaArd
from trainables.methods.mtard import MultiTeacherDistillation
from trainables.methods.rslad import RobustSoftLabelDistillation
from trainables.methods.standard import StandardTraining
from trainables.methods.trades import Trades
from trainables.methods.variance_gap import AdaptiveVarianceGap, VarianceGap

METHODS: dict[str, type[Method]] = {
    "standard": StandardTraining,
    "adversarial_training": AdversarialTraining,
    "trades": Trades,
    "kd": KnowledgeDistillation,
    "ard": AdversariallyRobustDistillation,
    "iad1": IntrospectiveDistillation1,
    "iad2": IntrospectiveDistillation2,
    "rslad": RobustSoftLabelDistillation,
    "adaad": AdaptiveAdversarialDistillation,
    "adaiad": AdaptiveIntrospectiveDistillation,
    "mtard": MultiTeacherDistillation,
    "kdiga": Kdiga,
    "kdiga_ard": KdigaArd,
    "variance_gap": VarianceGap,
    "ada_variance_gap": AdaptiveVarianceGap,
}
