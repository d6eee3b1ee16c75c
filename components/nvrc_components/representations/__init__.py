"""Networks that hold a video: feature grids, blocks, and the representations made of them."""
