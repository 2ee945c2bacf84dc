"""Chapter 8: answers that must be accepted, and slips that must not."""

RIGHT = {}

WRONG = {}
