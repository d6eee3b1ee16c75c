"""nvrc_lightning."""
