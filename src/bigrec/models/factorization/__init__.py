"""Matrix factorization with biases."""
