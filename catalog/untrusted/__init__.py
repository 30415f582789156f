"""What others wrote or may write: files read within bounds, folders kept from them, texts that steer no terminal."""
