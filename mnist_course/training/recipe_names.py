"""The names of the recipes, for whoever lists them and does not want to wait for torch."""

# First the tutorials' own settings, then the course's.
RECIPE_NAMES = ("s4", "s0", "s2", "s2-published", "s1",
                "softmax", "mlp-quick", "mlp", "cnn-quick", "recognizer", "cnn")  # fmt: skip
