"""How a run lies in its folder: `cube.zarr` beside `_control`."""
