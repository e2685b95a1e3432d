"""What nothing costs."""
