"""Let every text be printed: what the encoding of the output lacks gets a stand-in.

On Windows, what is redirected into a file is often written in a code page of 256 characters.
Python would stop a chapter at the first ● that it prints there.
"""

import codecs
import io
import sys
import unicodedata

STAND_INS = {
    "○": "o", "●": "*", "✗": "x", "×": "x", "–": "-", "—": "-", "−": "-", "·": ".", "±": "+-",
    "→": "->", "▸": ">", "“": '"', "”": '"', "‘": "'", "’": "'",
}  # fmt: skip


def allow_any_text() -> None:
    """Make standard output take every text, if its encoding is not one of the Unicode's own."""
    output = sys.stdout
    if not isinstance(output, io.TextIOWrapper) or output.errors != "strict":
        return  # a notebook, or somebody who has chosen already
    if not output.encoding.lower().startswith("utf"):
        codecs.register_error("mnist_course", _stand_in)
        output.reconfigure(errors="mnist_course")


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    """Return what to print for characters that cannot be encoded, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


def _plain(character: str) -> str:
    """Return ASCII that reads like a character: of "é" the "e", of what is unknown a "?"."""
    if character in STAND_INS:
        return STAND_INS[character]
    parts = unicodedata.normalize("NFKD", character)
    return "".join(p if p.isascii() else "" if unicodedata.combining(p) else "?" for p in parts)
