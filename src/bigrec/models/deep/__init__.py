"""Deep networks on embeddings, alone or beside a factorization."""
