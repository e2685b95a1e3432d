"""Everything is killed, paused and restarted at random; nothing may be lost (`make chaos`)."""
