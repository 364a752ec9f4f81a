"""One module for each row of the table: ours, the peers, and a check that both agree."""
