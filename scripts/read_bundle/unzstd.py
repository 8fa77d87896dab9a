"""A small zstd decoder (RFC 8878) in plain Python: correct before fast. No dictionaries.

Content checksums are skipped, not checked: whoever uses this has a SHA-256 of the content."""

MAGIC = 0xFD2FB528
BLOCK_MAX = 128 * 1024


class ZstdError(Exception):
    """The bytes are no valid zstd."""


LL_BASE = list(range(16)) + [16, 18, 20, 22, 24, 28, 32, 40, 48, 64]
LL_BASE += [1 << k for k in range(7, 17)]
LL_BITS = [0] * 16 + [1, 1, 1, 1, 2, 2, 3, 3, 4] + list(range(6, 17))
ML_BASE = list(range(3, 35)) + [35, 37, 39, 41, 43, 47, 51, 59, 67, 83, 99]
ML_BASE += [3 + (1 << k) for k in range(7, 17)]
ML_BITS = [0] * 32 + [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5] + list(range(7, 17))
LL_DEFAULT = [4, 3] + [2] * 11 + [1, 1, 1] + [2] * 9 + [3, 2] + [1] * 5 + [-1] * 4
ML_DEFAULT = [1, 4, 3] + [2] * 6 + [1] * 37 + [-1] * 7
OF_DEFAULT = [1] * 6 + [2] * 3 + [1] * 15 + [-1] * 5


class BackBits:
    """Reads a bit stream from its end; the highest 1 bit of the last byte marks the end."""

    def __init__(self, data):
        if not data or data[-1] == 0:
            raise ZstdError("bit stream without end mark")
        self.data = data
        self.pos = len(data) * 8 - 9 + data[-1].bit_length()

    def read(self, count):
        """The next bits. Below the start are zeros, and pos gets negative."""
        self.pos -= count
        pos = self.pos
        if pos < 0:
            left = max(0, pos + count + 7 >> 3)
            whole = int.from_bytes(self.data[:left], "little")
            return (whole << -pos) & ((1 << count) - 1)
        at = pos >> 3
        return (int.from_bytes(self.data[at : at + 9], "little") >> (pos & 7)) & ((1 << count) - 1)


def read_counts(data, at, max_accuracy, max_symbol):
    """The description of an FSE table: its accuracy, its probabilities, the place behind it."""
    whole = int.from_bytes(data[at : at + 512], "little")
    limit = min(len(data) - at, 512) * 8
    accuracy = (whole & 15) + 5
    if accuracy > max_accuracy:
        raise ZstdError("FSE accuracy too high")
    pos, left, counts = 4, 1 << accuracy, []
    while left > 0:
        bits = (left + 1).bit_length()
        value = (whole >> pos) & ((1 << bits) - 1)
        low = (1 << (bits - 1)) - 1
        threshold = (1 << bits) - 1 - (left + 1)
        if value & low < threshold:
            value &= low
            pos += bits - 1
        else:
            pos += bits
            if value > low:
                value -= threshold
        counts.append(value - 1)
        left -= abs(value - 1)
        if value == 1:
            repeat = 3
            while repeat == 3:
                repeat = (whole >> pos) & 3
                pos += 2
                counts.extend([0] * repeat)
        if pos > limit or len(counts) > max_symbol + 1:
            raise ZstdError("FSE table is malformed")
    if left < 0:
        raise ZstdError("FSE probabilities do not add up")
    return accuracy, counts, at + (pos + 7 >> 3)


def build_fse(accuracy, counts):
    """The decoding table: a row (symbol, bits, base) for each state."""
    size = 1 << accuracy
    symbols, high, nexts = [0] * size, size, {}
    for symbol, count in enumerate(counts):
        nexts[symbol] = 1 if count == -1 else count
        if count == -1:
            high -= 1
            symbols[high] = symbol
    step, pos = (size >> 1) + (size >> 3) + 3, 0
    for symbol, count in enumerate(counts):
        for _ in range(max(count, 0)):
            symbols[pos] = symbol
            pos = (pos + step) & (size - 1)
            while pos >= high:
                pos = (pos + step) & (size - 1)
    table = []
    for symbol in symbols:
        number = nexts[symbol]
        nexts[symbol] += 1
        bits = accuracy + 1 - number.bit_length()
        table.append((symbol, bits, (number << bits) - size))
    return accuracy, table


def fse_weights(data):
    """Weights of a Huffman table, packed with two interleaved FSE states."""
    accuracy, counts, at = read_counts(data, 0, 6, 255)
    _, table = build_fse(accuracy, counts)
    bits = BackBits(data[at:])
    states = [bits.read(accuracy), bits.read(accuracy)]
    if bits.pos < 0:
        raise ZstdError("Huffman weights are cut off")
    weights, turn = [], 0
    while len(weights) < 255:
        symbol, count, base = table[states[turn]]
        weights.append(symbol)
        states[turn] = base + bits.read(count)
        turn ^= 1
        if bits.pos < 0:
            weights.append(table[states[turn]][0])
            return weights
    raise ZstdError("too many Huffman weights")


def read_huffman(data):
    """A Huffman tree description: (most bits, table), and the place behind it."""
    if not data:
        raise ZstdError("no Huffman table")
    first = data[0]
    if first < 128:
        end = 1 + first
        if end > len(data):
            raise ZstdError("Huffman table is cut off")
        weights = fse_weights(data[1:end])
    else:
        count = first - 127
        end = 1 + (count + 1) // 2
        if end > len(data):
            raise ZstdError("Huffman table is cut off")
        weights = [data[1 + k // 2] >> (0 if k & 1 else 4) & 15 for k in range(count)]
    total = sum((1 << w) >> 1 for w in weights)
    if total == 0:
        raise ZstdError("Huffman table is empty")
    most = total.bit_length()
    rest = (1 << most) - total
    if most > 11 or rest & (rest - 1):
        raise ZstdError("Huffman weights do not add up")
    weights.append(rest.bit_length())
    if len(weights) > 256:
        raise ZstdError("too many Huffman weights")
    table = []
    for weight in range(1, most + 1):
        for symbol, own in enumerate(weights):
            if own == weight:
                table.extend([(symbol, most + 1 - weight)] * (1 << (weight - 1)))
    return (most, table), end


def huffman_stream(tree, data, count):
    """Exactly count literals; the stream has to end with them."""
    most, table = tree
    if not data or data[-1] == 0:
        raise ZstdError("Huffman stream without end mark")
    # 32 zero bits below the stream make reading ahead at its start harmless.
    pos = len(data) * 8 - 9 + data[-1].bit_length() + 32
    data = b"\0\0\0\0" + data
    mask, out, left = (1 << most) - 1, bytearray(), count
    append, from_bytes = out.append, int.from_bytes
    while left:
        # Two symbols or more fit one window of 64 bits; five of at most 11 bits do always.
        base = pos - 56 if pos >= 56 else 0
        window = from_bytes(data[base >> 3 : (base >> 3) + 8], "little")
        base &= ~7
        for _ in range(4 if left > 4 else left):
            shift = pos - most - base
            if shift < 0:
                raise ZstdError("Huffman stream is too short")
            symbol, bits = table[(window >> shift) & mask]
            append(symbol)
            pos -= bits
            left -= 1
        if pos < 32:
            raise ZstdError("Huffman stream is too short")
    if pos != 32:
        raise ZstdError("Huffman stream does not end with its last literal")
    return out


class Decoder:
    """The state of one frame: history, tables and offsets that blocks hand on."""

    def __init__(self, window):
        self.out = bytearray()
        self.window = window
        self.most = min(window, BLOCK_MAX)
        self.tree = None
        self.tables = [None, None, None]
        self.repeats = [1, 4, 8]

    def block(self, kind, data, size):
        before = len(self.out)
        if kind == 0:
            self.out += data
        elif kind == 1:
            self.out += data * size
        else:
            self.compressed(data)
        if len(self.out) - before > self.most:
            raise ZstdError("a block is too large")

    def compressed(self, data):
        literals, at = self.literals(data)
        self.sequences(data, at, literals)

    def literals(self, data):
        if not data:
            raise ZstdError("an empty compressed block")
        kind, form = data[0] & 3, data[0] >> 2 & 3
        if kind < 2:
            length, shift = {1: (2, 4), 3: (3, 4)}.get(form, (1, 3))
            size = int.from_bytes(data[:length], "little") >> shift
            end = length + (size if kind == 0 else 1)
            if end > len(data) or size > BLOCK_MAX:
                raise ZstdError("literals are cut off")
            return (data[length:end] if kind == 0 else data[length:end] * size), end
        length, width = ((3, 10), (3, 10), (4, 14), (5, 18))[form]
        number = int.from_bytes(data[:length], "little") >> 4
        size, packed = number & ((1 << width) - 1), number >> width
        end = length + packed
        if end > len(data) or size > BLOCK_MAX:
            raise ZstdError("literals are cut off")
        body = data[length:end]
        if kind == 2:
            self.tree, skip = read_huffman(body)
            body = body[skip:]
        elif self.tree is None:
            raise ZstdError("treeless literals without a tree")
        if form == 0:
            return huffman_stream(self.tree, body, size), end
        return self.four_streams(body, size), end

    def four_streams(self, body, size):
        if len(body) < 6:
            raise ZstdError("jump table is cut off")
        sizes = [int.from_bytes(body[k : k + 2], "little") for k in (0, 2, 4)]
        each, at, out = (size + 3) // 4, 6, bytearray()
        if size < 3 * each:
            raise ZstdError("too few literals for four streams")
        for length in sizes:
            out += huffman_stream(self.tree, body[at : at + length], each)
            at += length
        return out + huffman_stream(self.tree, body[at:], size - 3 * each)

    def read_tables(self, data, at, modes):
        """Literal lengths, offsets, match lengths: each by its two bits of modes."""
        if modes & 3:
            raise ZstdError("reserved bits in sequences")
        kinds = ((6, LL_DEFAULT, 9, 35), (5, OF_DEFAULT, 8, 31), (6, ML_DEFAULT, 9, 52))
        for index, (accuracy, default, most, symbols) in enumerate(kinds):
            mode = modes >> (6 - 2 * index) & 3
            if mode == 0:
                self.tables[index] = build_fse(accuracy, default)
            elif mode == 1:
                if at >= len(data) or data[at] > symbols:
                    raise ZstdError("RLE symbol of sequences")
                self.tables[index] = (0, [(data[at], 0, 0)])
                at += 1
            elif mode == 2:
                real, counts, at = read_counts(data, at, most, symbols)
                self.tables[index] = build_fse(real, counts)
            elif self.tables[index] is None:
                raise ZstdError("repeat mode without a table")
        return at

    def sequences(self, data, at, literals):
        out = self.out
        if at >= len(data):
            raise ZstdError("sequences are cut off")
        count, at = data[at], at + 1
        if count >= 128:
            if at + 2 > len(data):
                raise ZstdError("sequences are cut off")
            if count < 255:
                count, at = (count - 128 << 8) + data[at], at + 1
            else:
                count, at = int.from_bytes(data[at : at + 2], "little") + 0x7F00, at + 2
        if count == 0:
            if at != len(data):
                raise ZstdError("bytes behind a block without sequences")
            out += literals
            return
        if at >= len(data):
            raise ZstdError("sequences are cut off")
        at = self.read_tables(data, at + 1, data[at])
        (ll_acc, ll), (of_acc, of), (ml_acc, ml) = self.tables
        bits = BackBits(bytes(data[at:]))
        read = bits.read
        ll_state, of_state, ml_state = read(ll_acc), read(of_acc), read(ml_acc)
        taken = 0
        for left in range(count, 0, -1):
            ll_row, of_row, ml_row = ll[ll_state], of[of_state], ml[ml_state]
            value = (1 << of_row[0]) + read(of_row[0])
            match = ML_BASE[ml_row[0]] + read(ML_BITS[ml_row[0]])
            length = LL_BASE[ll_row[0]] + read(LL_BITS[ll_row[0]])
            if left > 1:
                ll_state = ll_row[2] + read(ll_row[1])
                ml_state = ml_row[2] + read(ml_row[1])
                of_state = of_row[2] + read(of_row[1])
            if bits.pos < 0 or taken + length > len(literals):
                raise ZstdError("sequences are too long")
            out += literals[taken : taken + length]
            taken += length
            self.copy(self.offset(value, length), match)
        if bits.pos != 0:
            raise ZstdError("sequences do not end with their stream")
        out += literals[taken:]

    def offset(self, value, length):
        """The offset of a match, and the three last offsets after it."""
        repeats = self.repeats
        if value > 3:
            self.repeats = [value - 3, repeats[0], repeats[1]]
            return value - 3
        index = value - 1 + (length == 0)
        offset = repeats[index] if index < 3 else repeats[0] - 1
        if offset == 0:
            raise ZstdError("offset 0")
        if index:
            self.repeats = [offset, repeats[0], repeats[2] if index == 1 else repeats[1]]
        return offset

    def copy(self, offset, length):
        out = self.out
        start = len(out) - offset
        if start < 0 or offset > max(self.window, BLOCK_MAX):
            raise ZstdError("a match reaches before the content")
        if offset >= length:
            out += out[start : start + length]
        else:
            piece = bytes(out[start:])
            out += (piece * (length // offset + 1))[:length]


def frame_header(data):
    """(length of the header, window, content size or None, checksum?, descriptor), or None if
    data is too short. data begins with the magic number."""
    if len(data) < 6:
        return None
    if int.from_bytes(data[:4], "little") != MAGIC:
        raise ZstdError("no zstd frame")
    descriptor = data[4]
    if descriptor & 8:
        raise ZstdError("reserved bit in a frame header")
    single = descriptor >> 5 & 1
    id_bytes = (0, 1, 2, 4)[descriptor & 3]
    size_bytes = (single, 2, 4, 8)[descriptor >> 6]
    length = 5 + (1 - single) + id_bytes + size_bytes
    if len(data) < length:
        return None
    if any(data[length - size_bytes - id_bytes : length - size_bytes]):
        raise ZstdError("a dictionary is needed")
    size = None
    if size_bytes:
        size = int.from_bytes(data[length - size_bytes : length], "little")
        size += 256 if size_bytes == 2 else 0
    if single:
        window = size
    else:
        base = 1 << (10 + (data[5] >> 3))
        window = base + (base >> 3) * (data[5] & 7)
    return length, window, size, descriptor >> 2 & 1, descriptor


def stream(read):
    """Decodes all frames of a zstd file; read(n) gives at most n bytes. Yields content."""

    def exactly(count):
        parts = bytearray()
        while len(parts) < count:
            piece = read(count - len(parts))
            if not piece:
                raise ZstdError("zstd data is cut off")
            parts += piece
        return bytes(parts)

    while True:
        start = read(1)
        if not start:
            return
        start += exactly(3)
        magic = int.from_bytes(start, "little")
        if magic & 0xFFFFFFF0 == 0x184D2A50:
            left = int.from_bytes(exactly(4), "little")
            while left:
                left -= len(exactly(min(left, 1 << 20)))
            continue
        start += exactly(2)
        header = frame_header(start)
        while header is None:
            start += exactly(1)
            header = frame_header(start)
        _, window, size, checksum, _ = header
        if window > 128 << 20:
            raise ZstdError("window too large")
        decoder, last, total = Decoder(window), 0, 0
        while not last:
            number = int.from_bytes(exactly(3), "little")
            last, kind, length = number & 1, number >> 1 & 3, number >> 3
            if kind == 3 or length > BLOCK_MAX:
                raise ZstdError("a malformed block")
            before = len(decoder.out)
            decoder.block(kind, exactly(1 if kind == 1 else length), length)
            total += len(decoder.out) - before
            yield bytes(decoder.out[before:])
            if len(decoder.out) > 2 * window + (1 << 20):
                del decoder.out[:-window]
        if checksum:
            exactly(4)
        if size is not None and size != total:
            raise ZstdError("content size is wrong")
