"""Sources of examples, with the truth about them."""
