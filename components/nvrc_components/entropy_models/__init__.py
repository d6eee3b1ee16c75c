"""entropy_models."""
