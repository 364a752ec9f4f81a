"""What an experiment will need, before anything is submitted: `tuneatlas size`. No torch here."""
