"""Rate-distortion sweeps over codecs and recipes, resumable point by point, with BD-rates and published anchors."""
