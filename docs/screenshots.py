"""Takes the pictures of the documentation from a running UI: `python docs/screenshots.py [address]`.

Needs Chromium. Start the UI first, with `make run`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PAGES = {
    "version.png": ("/assets/python_tutor/v2", 1600, 1750),
    "checks.png": (
        "/assets/python_stdlib/v1?view=checks&checkDetail=summary_is_a_sentence",
        1600,
        1100,
    ),
    "lineage.png": ("/asset-groups/~/", 1600, 800),
}
QUIET = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]


def main(address: str) -> None:
    """Take every picture."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        sys.exit("chromium is not installed")
    images = Path(__file__).parent / "images"
    images.mkdir(exist_ok=True)
    for name, (page, width, height) in PAGES.items():
        with tempfile.TemporaryDirectory() as profile:
            subprocess.run(
                [
                    browser,
                    *QUIET,
                    f"--user-data-dir={profile}",
                    f"--window-size={width},{height}",
                    "--virtual-time-budget=20000",
                    f"--screenshot={images / name}",
                    address + page,
                ],
                check=True,
                capture_output=True,
            )
        print(images / name)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:3000")
