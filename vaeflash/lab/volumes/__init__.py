"""Volumes of voxels: what they are, where they are read from, how networks see them."""
