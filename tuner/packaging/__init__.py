"""A student as a package: programs, what they were checked against, a model card."""
