"""What the exercise checks accept, and what they say to typical slips: one file a chapter."""
