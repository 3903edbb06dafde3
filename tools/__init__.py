"""What the Makefile runs on the tree: freeze sql/ into migrations, verify them."""
