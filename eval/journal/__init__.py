"""What a journal says of policies that it did not follow: off-policy estimates, with their intervals."""
