"""How it is searched: studies on Ray with Optuna, held in MLflow."""
