"""nvrc_components."""
