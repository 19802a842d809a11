"""What a touch on a plane costs in Chromium: one decode and one draw, and the size of the script.

decode and draw       mean over 2,000 arrow keys, the picture read back now and then; goal: 2 ms
script                bytes of the file that a card loads; goal: 45 kB
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from browser import Browser, Page
from planes import network, plane

from vaeflash.widget.packing import to_json
from vaeflash.widget.page import plane_html, styles, to_script

TOUCHES = 2_000
GOAL_MS, GOAL_BYTES = 2.0, 45_000
TIMED = f"""(() => {{
  const square = document.querySelector(".plane-square"), canvas = document.querySelector("canvas");
  const read = () => canvas.getContext("2d").getImageData(0, 0, 1, 1);
  const touch = (n) => {{
    for (let i = 0; i < n; i++) {{
      const key = ["ArrowUp", "ArrowLeft", "ArrowDown", "ArrowRight"][(i >> 3) & 3];
      square.dispatchEvent(new KeyboardEvent("keydown", {{ key, bubbles: true }}));
      if (i % 100 == 99) read();
    }}
  }};
  touch({TOUCHES} / 4);
  const began = performance.now();
  touch({TOUCHES});
  return (performance.now() - began) / {TOUCHES};
}})()"""


def main() -> int:
    """Measure and say whether the goals are met."""
    script = to_script(to_json(plane([network()])), "bench")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "plane.js").write_text(script, encoding="utf-8")
        (folder / "page.html").write_text(
            f'<!doctype html><meta charset="utf-8"><style>{styles()}</style>'
            f'{plane_html("bench", "", "")}<script src="plane.js"></script>',
            encoding="utf-8",
        )
        with Browser(folder / "profile") as browser:
            page = Page(browser, 800)
            page.open(folder / "page.html")
            best = min(page.run(TIMED) for _ in range(5))
    size = len(script.encode())
    print(f"decode and draw  {best:.3f} ms   goal {GOAL_MS} ms")
    print(f"script           {size:,} bytes  goal {GOAL_BYTES:,}")
    return int(best > GOAL_MS or size > GOAL_BYTES)


if __name__ == "__main__":
    raise SystemExit(main())
