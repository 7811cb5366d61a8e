"""The gradients job: how gradients vanish and explode, and which remedy works."""
