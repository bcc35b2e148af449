"""What the conformance tests compare with: the collections, and other programs' results of them."""
