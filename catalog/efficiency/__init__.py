"""What a model's size buys: operations, time and quality per parameter, by published formulas."""
