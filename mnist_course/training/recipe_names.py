"""The names of the recipes, for whoever lists them and does not want to wait for torch."""

RECIPE_NAMES = (
    *("s4", "s0", "s2", "s2-published", "s1"),  # the tutorials' own settings
    *("softmax", "mlp", "cnn-quick", "recognizer", "cnn"),  # the course's
)
