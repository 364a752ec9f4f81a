"""Two stages of pre-training on trees."""
