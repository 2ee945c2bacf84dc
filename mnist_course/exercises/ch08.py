"""What the checks of chapter 8, "Learned by heart", accept."""
