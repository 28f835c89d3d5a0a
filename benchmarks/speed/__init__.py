"""Speed of the update, the choice of the ridge and a stream, as ratios in one run."""
