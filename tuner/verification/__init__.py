"""The front measured again: test split, AutoAttack, several seeds."""
