"""How robust a network is: attacks that measure, AutoAttack, smoothing, gates of masking."""
