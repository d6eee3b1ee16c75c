"""What happens around the training steps: stages, rate steps, files, previews, progress."""
