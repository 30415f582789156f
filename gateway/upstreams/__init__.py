"""The outside world of models, behind one Protocol."""
