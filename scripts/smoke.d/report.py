"""The report of scripts/smoke: what was believed and what was measured, in Markdown, without names of the account."""

import re
from dataclasses import dataclass

# What identifies an account, and what replaces it.
MASKS = [
    (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", "ACCESS-KEY"),
    (r"\b\d{12}\b", "ACCOUNT"),
    (r"\b[a-z0-9]+\.cloudfront\.net\b", "DOMAIN.cloudfront.net"),
    (r"\bE[A-Z0-9]{11,14}\b", "DISTRIBUTION"),
    (r"\bI[A-Z0-9]{11,28}\b", "INVALIDATION"),
    # The end of an ARN: whose credentials these are.
    (r"\b(user|role|assumed-role)/\S+", r"\1/NAME"),
]


class NotAnswered(Exception):
    """The question has no answer here; the text is the reason."""


@dataclass
class Finding:
    """The answer to a question. `state` is `measured`, `not answered` or `error`."""

    name: str
    title: str
    believed: str
    state: str
    text: str
    seconds: float

    def markdown(self):
        lines = [f"### {self.title}", "", f"`{self.name}`, {self.seconds:.0f} s", "", f"- **Believed:** {self.believed}"]
        if self.state == "measured":
            return "\n".join([*lines, "- **Measured:**", "", self.text])
        introduction = "Not answered, because" if self.state == "not answered" else "Error of the script:"
        return "\n".join([*lines, f"- **{introduction}** {self.text}"])


def table(header, rows):
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines)


def masked(text, name):
    """The text without the account's names. `name` begins the names of everything that this run and earlier ones made."""
    for pattern, replacement in MASKS:
        text = re.sub(pattern, replacement, text)
    return re.sub(rf"\b{re.escape(name)}-[0-9a-f]{{6}}\b", "NAME", text)


def render(facts, findings, not_asked, left):
    """The whole report. `facts` are pairs of a label and a value; `left` is what could not be removed."""
    answered = sum(it.state == "measured" for it in findings)
    parts = ["# Smoke test of S3 CloudFront invalidator", table(["", ""], facts)]
    parts.append(f"{answered} of {len(findings)} questions answered.")
    parts.append(table(["question", "result"], [[it.title, it.state] for it in findings]))
    parts.append("## Answers")
    parts += [it.markdown() for it in findings]
    parts += ["## Not asked", "\n".join(f"- {reason}" for reason in not_asked), "## Removal"]
    parts.append("Everything was removed." if not left else "Not removed:\n\n" + "\n".join(f"- {it}" for it in left))
    return "\n\n".join(parts) + "\n"
