"""bitstream."""
