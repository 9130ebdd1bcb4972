"""The judge as a page and an HTTP endpoint on one's own machine."""
