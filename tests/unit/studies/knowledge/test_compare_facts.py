"""Claims about facts that the corpus states, with the others as a negative control."""
