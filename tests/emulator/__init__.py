"""A GPU made of host code, to run the CUDA backend in tests on a machine without a card.

`cuda.h` lets the host compiler build what the card's compiler would be given, word for word;
`module.py` builds and launches it; `fake_cupy.py` stands in for CuPy around it, with
`arrays.py` (streams and arrays) and `pool.py` (memory).
"""
