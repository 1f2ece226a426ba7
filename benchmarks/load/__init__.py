"""A study under load, and on servers and disks that fail; see docs/reliability.md."""
