"""What a bundle or a recipe is worth: one endpoint fixed beforehand, and exploration clearly parted from it."""
