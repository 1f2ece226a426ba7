"""The shared piece of every space: which alignments are on, and how strong they are."""

from search_spaces.space import SpaceTrial


def suggest_logits(trial: SpaceTrial, low: float, high: float) -> None:
    """Alpha, the temperature and the images compared, if logit distillation is on at all."""
    if _on(trial, "logits", low, high):
        trial.suggest_categorical("alignments/logits/domains", ["adversarial", "both", "clean"])
        trial.suggest_float("alignments/logits/temperature", 1.0, 8.0, log=True)


def suggest_covariance(trial: SpaceTrial, low: float, high: float) -> None:
    """Beta and the projector, if covariances are aligned at all."""
    if _on(trial, "covariance", low, high):
        trial.suggest_categorical(
            "alignments/covariance/projector", ["linear", "random_orthogonal"]
        )


def suggest_gram(trial: SpaceTrial, low: float, high: float) -> None:
    """Gamma, if Gram matrices are aligned at all."""
    _on(trial, "gram", low, high)


def suggest_input_gradient(trial: SpaceTrial, low: float, high: float) -> None:
    """Lambda and where gradients are compared, if they are aligned at all."""
    if _on(trial, "input_gradient", low, high):
        trial.suggest_categorical("alignments/input_gradient/domains", ["clean", "adversarial"])


def suggest_igdm(trial: SpaceTrial, low: float, high: float) -> None:
    """Mu, if predictions are matched around the image at all."""
    _on(trial, "igdm", low, high)


def _on(trial: SpaceTrial, term: str, low: float, high: float) -> bool:
    """Switch of a term, then its weight, log-uniform; an off term has nothing to search."""
    if not trial.suggest_categorical(f"alignments/{term}", [True, False]):
        return False
    trial.suggest_float(f"alignments/{term}/weight", low, high, log=True)
    return True
