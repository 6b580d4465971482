"""What all tests share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# One thread, here and in the servers that tests start: sums in another order differ in their last bits, and tests run
# two at a time anyway. Set before torch is imported.
os.environ["OMP_NUM_THREADS"] = "1"

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
