"""Long runs that break things on purpose, or repeat them often; `make test` does not start them."""
