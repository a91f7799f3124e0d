"""Checks docs/terminal.svg, the picture of a terminal in the README. `--write` writes it.

The outputs are those of docs/command-line.md, which tests/emulator/run.py compares with real output.
"""

import re
import sys
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs/terminal.svg"
LINE, CHARACTER, MARGIN = 18, 7.83, 20

STYLE = (
    "text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#1f2328;white-space:pre}"
    ".back{fill:#f6f8fa;stroke:#d1d9e0}.command{font-weight:600;fill:#0550ae}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.back{fill:#151b23;stroke:#3d444d}.command{fill:#79c0ff}}"
)


def output(name):
    text = (ROOT / "docs/command-line.md").read_text()
    return re.search(rf"<!-- output: {name} -->\n```\n(.*?)```", text, re.DOTALL).group(1).rstrip("\n").splitlines()


def lines():
    """The lines, each with whether it is a command."""
    shown = [("invalidator link my-site E2EXAMPLE1ABCD --yes", output("link"))]
    shown += [("aws s3 sync --no-progress site s3://my-site", ["upload: site/index.html to s3://my-site/index.html"])]
    shown += [("invalidator status my-site", output("status"))]
    for command, printed in shown:
        yield f"$ {command}", True
        yield from ((line, False) for line in printed)
        yield "", False


def picture():
    text = list(lines())[:-1]
    width = round(max(len(line) for line, _ in text) * CHARACTER) + 2 * MARGIN
    height = len(text) * LINE + 2 * MARGIN
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">']
    parts += ["<title>invalidator link, aws s3 sync and invalidator status</title>", f"<style>{STYLE}</style>"]
    parts.append(f'<rect class="back" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="6"/>')
    for number, (line, is_command) in enumerate(text):
        if line:
            kind = ' class="command"' if is_command else ""
            parts.append(f'<text{kind} x="{MARGIN}" y="{MARGIN + 13 + number * LINE}">{escape(line)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def main():
    if "--write" in sys.argv:
        PICTURE.write_text(picture())
    elif PICTURE.read_text() != picture():
        raise SystemExit(f"{PICTURE} is not the output in docs/command-line.md: run python tests/infra/terminal.py --write")
    print(f"terminal: {len(list(lines())) - 1} lines as in docs/command-line.md")


if __name__ == "__main__":
    main()
