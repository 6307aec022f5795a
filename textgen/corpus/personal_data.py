"""Likely personal data in texts: what looks like it and, where there is a checksum, passes it.

Names and addresses have no pattern, so a text without findings is not anonymous.

Reference:
    Luhn: ISO/IEC 7812-1; IBAN: ISO 7064, mod 97-10; Chinese identity numbers: GB 11643-1999;
    Polish PESEL, Spanish DNI and NIE, Finnish HETU: the rules of their authorities.
"""

from __future__ import annotations

import bisect
import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from textgen.config import PERSONAL_DATA

_DIGIT = re.compile(r"\d")


def _digits(text: str) -> list[int]:
    return [int(digit) for digit in _DIGIT.findall(text)]


def _is_card(text: str) -> bool:
    """Check the length, the issuer and the checksum of Luhn."""
    digits = _digits(text)
    if not 13 <= len(digits) <= 19 or digits[0] not in (2, 3, 4, 5, 6) or len(set(digits)) == 1:
        return False
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_iban(text: str) -> bool:
    compact = text.replace(" ", "")
    moved = compact[4:] + compact[:4]
    return 15 <= len(compact) <= 34 and int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


def _is_identity_number(text: str) -> bool:
    return any(check(text) for check in (_is_chinese, _is_polish, _is_spanish, _is_finnish, _is_us))


def _is_chinese(text: str) -> bool:
    if not re.fullmatch(r"[1-9]\d{5}(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])\d{3}[\dXx]", text):
        return False
    total = sum(int(digit) * pow(2, 17 - i, 11) for i, digit in enumerate(text[:17]))
    return "10X98765432"[total % 11] == text[17].upper()


def _is_polish(text: str) -> bool:
    if not re.fullmatch(r"\d\d(\d\d)([0-2]\d|3[01])\d{5}", text) or not (
        1 <= int(text[2:4]) % 20 <= 12 and int(text[4:6])
    ):
        return False
    weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)
    return sum(w * d for w, d in zip(weights, _digits(text), strict=True)) % 10 == 0


def _is_spanish(text: str) -> bool:
    if not re.fullmatch(r"[XYZ]?\d{7,8}[A-Z]", text) or len(text) != 9:
        return False
    number = text[:-1].replace("X", "0").replace("Y", "1").replace("Z", "2")
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == text[-1]


def _is_finnish(text: str) -> bool:
    match = re.fullmatch(r"(\d{6})[-+A-FU-Y](\d{3})([\dA-Y])", text)
    if not match:
        return False
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(match[1] + match[2]) % 31] == match[3]


def _is_us(text: str) -> bool:
    """A Social Security number has no checksum, but its form is rare enough."""
    match = re.fullmatch(r"(\d{3})-(\d\d)-(\d{4})", text)
    if not match:
        return False
    area, group, serial = map(int, match.groups())
    return 0 < area < 900 and area != 666 and group > 0 and serial > 0


def _is_phone(text: str) -> bool:
    return 9 <= len(_digits(text)) <= 15


def _is_address(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False


# Every kind: its pattern, and the check of what matches. Earlier kinds win over later ones.
_KINDS: dict[str, tuple[re.Pattern[str], Callable[[str], bool]]] = {
    "email": (
        re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])"),
        lambda text: True,
    ),
    "iban": (
        re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"),
        _is_iban,
    ),
    "id": (
        re.compile(
            r"(?<![\w-])(?:\d{17}[\dXx]|\d{11}|[XYZ]?\d{7,8}[A-Z]|\d{6}[-+A-FU-Y]\d{3}[\dA-Y]"
            r"|\d{3}-\d\d-\d{4})(?![\w-])"
        ),
        _is_identity_number,
    ),
    "card": (re.compile(r"(?<![\w-])\d(?:[ -]?\d){12,18}(?![\w-])"), _is_card),
    "phone": (
        re.compile(
            r"(?<![\w.+])(?:"
            r"\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){1,4}"  # +49 30 123456
            r"|\(0\d{1,4}\) ?\d{2,4}(?:[ -]?\d{2,4}){1,3}"  # (030) 1234567
            r"|0\d{1,4}[/ -]\d{2,4}(?:[ -]?\d{2,4}){1,3}"  # 030/1234567
            r"|(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[.-]\d{4}"  # (212) 555-0123
            r"|1[3-9]\d{9}"  # 13800138000, a Chinese mobile phone
            r")(?![\w-])"
        ),
        _is_phone,
    ),
    "ip": (re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)"), _is_address),
}


def find_personal_data(
    text: str, kinds: Iterable[str] = PERSONAL_DATA
) -> Iterator[tuple[str, int, int]]:
    """Yield what looks like personal data: its kind, and where it begins and ends.

    Args:
        text: Any text.
        kinds: Which of `textgen.config.PERSONAL_DATA` to look for.

    Example:
        >>> list(find_personal_data("Write to ada@example.org!"))
        [('email', 9, 24)]
    """
    wanted = set(kinds)
    taken: list[tuple[int, int]] = []  # in order, and apart
    for kind, (pattern, check) in _KINDS.items():
        if kind not in wanted:
            continue
        for match in pattern.finditer(text):
            start, stop = match.span()
            at = bisect.bisect(taken, (start, stop))
            is_free = (not at or taken[at - 1][1] <= start) and (
                at == len(taken) or stop <= taken[at][0]
            )
            if is_free and check(match[0]):
                taken.insert(at, (start, stop))
                yield kind, start, stop


def redact(text: str, kinds: Iterable[str], counts: Counter[str]) -> str:
    """Replace personal data by its kind in brackets.

    Args:
        text: Any text.
        kinds: Which of `textgen.config.PERSONAL_DATA` to replace.
        counts: Counts what was replaced, by kind.

    Example:
        >>> redact("Call +49 30 1234567.", ["phone"], Counter())
        'Call [phone].'
    """
    parts, end = [], 0
    for kind, start, stop in sorted(find_personal_data(text, kinds), key=lambda found: found[1]):
        parts += [text[end:start], f"[{kind}]"]
        end = stop
        counts[kind] += 1
    return "".join([*parts, text[end:]]) if parts else text
