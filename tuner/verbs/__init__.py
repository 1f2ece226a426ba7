"""The verbs of the command line; heavy imports live inside them."""
