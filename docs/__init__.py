"""Documents, and the scripts that make some of them."""
