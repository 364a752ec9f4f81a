"""What the workflow does on a GPU: equality with a processor, rates, memory, peers."""
