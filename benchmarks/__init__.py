"""What things cost: time, processor time and memory."""
