"""What flow-atom is measured against."""
