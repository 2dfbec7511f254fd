"""What files say: objects, archives, linker scripts; no addresses, no process."""
