"""Random damage to a file."""


def mutate(content, rng):
    """Return some bytes with one kind of damage, and what it is."""
    data = bytearray(content)
    kind = rng.choice(["flip", "flips", "cut", "insert", "repeat", "zero"])
    start = rng.randrange(len(data) + 1)
    end = min(len(data), start + rng.choice([1, 8, 100, 5000]))
    if kind == "flip" and data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "flips" and data:
        for _ in range(30):
            data[rng.randrange(len(data))] = rng.randrange(256)
    elif kind == "cut":
        del data[start:]
    elif kind == "insert":
        data[start:start] = rng.randbytes(rng.choice([1, 100]))
    elif kind == "repeat":
        data[end:end] = data[start:end]
    else:
        data[start:end] = bytes(end - start)
    return bytes(data), f"{kind} at {start}"
