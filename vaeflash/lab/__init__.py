"""The bench that demos import: data, training, samplers, metrics. Only here does torch live.

Small networks are several times slower on two spinning OpenMP threads than on one, and OpenMP
reads its settings once: so the thread count is set before torch is imported. Set OMP_NUM_THREADS
yourself to overrule it.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
