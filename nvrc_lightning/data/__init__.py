"""Video in, video out; import the submodules, so that reading and writing never load Lightning."""
