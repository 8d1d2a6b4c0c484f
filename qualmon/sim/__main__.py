"""``python -m qualmon.sim``: the child that `qualmon.sim.child.spawn` talks to.

People start the fleet with ``qualmon sim``.
"""

from __future__ import annotations

import sys

from qualmon.sim.child import main

sys.exit(main())
