"""S3, DSMT (Liu et al. 2024): trees, pre-training on them, controlled paraphrasing."""
