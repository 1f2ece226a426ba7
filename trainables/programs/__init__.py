"""A student as a program that runs without this project, and whether it says the same."""
