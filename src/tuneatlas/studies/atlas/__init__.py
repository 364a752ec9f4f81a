"""The atlas: every way of tuning beside every way of asking what it did."""
