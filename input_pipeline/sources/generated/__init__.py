"""Sources whose photographs are made before they are read: synthetic, degraded, saved again."""
