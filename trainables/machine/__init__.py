"""What a run computes with: device, arithmetic, compiled networks, memory."""
