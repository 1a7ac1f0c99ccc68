/* Search in what each side sent: a stream of bytes, however it was cut into records. */

const HITS_MOST = 10000;

/* The bytes a text stands for: UTF-8, with \r \n \t \0 \\ \xHH. */
function needleOfText(text) {
	const plain = { r: '\r', n: '\n', t: '\t', 0: '\0', '\\': '\\' };
	const utf8 = String.fromCharCode(...new TextEncoder().encode(text));
	return utf8.replace(/\\(x([0-9a-fA-F]{2})|[rnt0\\])/g,
	    (whole, letter, hex) => (hex ? String.fromCharCode(parseInt(hex, 16)) : plain[letter]));
}

/* The bytes of hex digits, which may be apart and have a 0x; null if they are none. */
function needleOfHex(text) {
	const digits = text.replace(/0x/gi, '').replace(/[\s,:]/g, '');
	if (!/^([0-9a-fA-F]{2})+$/.test(digits))
		return null;
	return digits.replace(/../g, (hex) => String.fromCharCode(parseInt(hex, 16)));
}

/* Letters of ASCII alone, so that lengths stay. */
function folded(text) {
	return text.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase());
}

/* The last index whose value is at most `value`. */
function lastAtMost(values, value) {
	let low = 0, high = values.length;
	while (low < high) {
		const middle = (low + high) >> 1;
		if (values[middle] <= value)
			low = middle + 1;
		else
			high = middle;
	}
	return low - 1;
}

class Search {
	constructor(recording) {
		this.recording = recording;
		this.hits = []; // {record, offset, length, stretch, at}, in order of time
		this.touched = new Map(); // record: ranges {from, to, hit} of its bytes
		this.stretches = null;
	}

	/* What each side sent without a hole: behind bytes that are not in the page a new stretch begins. */
	stretchesBuild() {
		const { recording } = this, open = new Map();
		this.stretches = [];
		for (let i = 0; i < recording.count; i++) {
			const stream = recording.lane[i] * 2 + recording.side(i);
			if (recording.type(i) !== DATA)
				continue;
			let stretch = open.get(stream);
			if (!stretch) {
				stretch = { parts: [], records: [], starts: [], length: 0 };
				open.set(stream, stretch);
				this.stretches.push(stretch);
			}
			const bytes = recording.bytes(i);
			stretch.records.push(i);
			stretch.starts.push(stretch.length);
			stretch.parts.push(bytes);
			stretch.length += bytes.length;
			if (bytes.length < recording.size[i])
				open.delete(stream);
		}
		for (const stretch of this.stretches) {
			stretch.text = stretch.parts.join('');
			stretch.parts = null;
		}
	}

	/* Find what the query stands for. Returns null, or what is wrong with it. */
	find(query, kind) {
		this.hits = [];
		this.touched.clear();
		if (query === '')
			return null;
		let needle = kind === 'hex' ? needleOfHex(query) : needleOfText(query);
		if (needle === null)
			return 'pairs of hex digits, please';
		if (!this.stretches)
			this.stretchesBuild();
		if (kind === 'text')
			needle = folded(needle);
		for (const stretch of this.stretches)
			if (!this.stretchSearch(stretch, needle, kind === 'text'))
				break;
		this.hits.sort((a, b) => a.record - b.record || a.offset - b.offset);
		this.hits.forEach((hit, index) => this.touch(hit, index));
		return null;
	}

	/* Returns false when there are enough. */
	stretchSearch(stretch, needle, fold) {
		if (fold)
			stretch.folded ??= folded(stretch.text);
		const text = fold ? stretch.folded : stretch.text;
		for (let at = text.indexOf(needle); at >= 0; at = text.indexOf(needle, at + needle.length)) {
			const index = lastAtMost(stretch.starts, at);
			const offset = at - stretch.starts[index];
			this.hits.push({ record: stretch.records[index], offset, length: needle.length, stretch, index });
			if (this.hits.length >= HITS_MOST)
				return false;
		}
		return true;
	}

	/* Note the ranges of all records that a hit spans. */
	touch(hit, number) {
		const { stretch } = hit, begin = stretch.starts[hit.index] + hit.offset, end = begin + hit.length;
		for (let index = hit.index; index < stretch.records.length && stretch.starts[index] < end; index++) {
			const record = stretch.records[index], start = stretch.starts[index];
			const stop = stretch.starts[index + 1] ?? stretch.length;
			if (stop === start)
				continue;
			const range = { from: Math.max(begin - start, 0), to: Math.min(end, stop) - start, hit: number };
			if (!this.touched.has(record))
				this.touched.set(record, []);
			this.touched.get(record).push(range);
		}
	}

	ranges(record) {
		return this.touched.get(record) ?? [];
	}
}
