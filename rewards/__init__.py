"""Rule rewards with typed outcomes. Imports without torch."""
