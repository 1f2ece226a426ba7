"""Training methods, one paper per file. A new one is a file and a line in ``METHODS``."""

from trainables.methods.adversarial_training import AdversarialTraining
from trainables.methods.base import Batch as Batch
from trainables.methods.base import Method as Method
from trainables.methods.base import View as View
from trainables.methods.base import kl_to_teacher as kl_to_teacher
from trainables.methods.kd import KnowledgeDistillation

METHODS: dict[str, type[Method]] = {
    "adversarial_training": AdversarialTraining,
    "kd": KnowledgeDistillation,
}
