"""How far the same numbers may lie apart on another machine.

Processors sum in another order, and BLAS and oneDNN choose other kernels: a float32 result moves
in its last digits. Training multiplies that, since each step starts from where the last one
ended; `benchmarks/drift.py` measures by how much. So a test asks for verdicts, or for values within
one of these, and never for the bytes that one processor came to.
"""

ROUNDING = 1e-4
"""Relative: the same float32 arithmetic once, in another order."""
TRAINED = 1e-2
"""Relative: the same short training, a few steps from the same start on the same batches."""
