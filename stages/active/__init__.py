"""An active-learning campaign, simulated on crystals whose labels are known; a command of its own."""
