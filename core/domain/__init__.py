"""Floor 0: frozen values and rules about single things. Standard library only."""
