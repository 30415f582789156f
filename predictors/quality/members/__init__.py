"""What the ensemble of a table is put together from: the gaps filled, the members, and what corrects them."""
