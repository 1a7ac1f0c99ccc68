/* Below the timeline: lists of records at the left, the bytes of the chosen one at the right. */

const ROW_HEIGHT = 22, BYTES_HEIGHT = 18, HEX_WIDTH = 16;
const LIST_PREVIEW = 160;

/* The lists; only one of them is shown at a time. */
class Lists {
	/* `model` as for Timeline, with choose(record) and chooseHit(number). */
	constructor(model) {
		this.model = model;
		this.recording = model.recording;
		this.shown = 'records';
		this.items = [];
		this.all = Array.from({ length: this.recording.count }, (_, i) => i);
		this.rows = new Rows(byId('list'), ROW_HEIGHT, (row, index) => this.fill(row, index));
		byId('list').addEventListener('click', (event) => this.click(event));
		for (const name of ['records', 'found', 'slow'])
			byId(`tab-${name}`).addEventListener('click', () => this.show(name));
		this.responsesFill();
		this.show('records');
	}

	show(name) {
		const lane = this.model.lane(), { hits } = this.model.search;
		const inLane = (i) => !lane || this.recording.laneOf(i) === lane;
		this.shown = name;
		if (name === 'records')
			this.items = lane ? lane.records : this.all;
		else if (name === 'found')
			this.items = hits.map((_, number) => number).filter((number) => inLane(hits[number].record));
		else
			this.items = this.recording.answers.filter(inLane);
		for (const tab of ['records', 'found', 'slow'])
			byId(`tab-${tab}`).setAttribute('aria-pressed', tab === name);
		byId('tab-found').textContent = hits.length > 0 ? `Found (${hits.length.toLocaleString('en')})` : 'Found';
		byId('responses').hidden = name !== 'slow' || this.recording.answers.length === 0;
		byId('list').dataset.empty = name === 'found' ? 'Nothing found' : name === 'slow' ? 'No answers' : 'No records';
		byId('list').classList.toggle('empty', this.items.length === 0);
		byId('list').scrollTop = 0;
		this.rows.set(this.items.length);
		this.follow();
	}

	recordOf(index) {
		return this.shown === 'found' ? this.model.search.hits[this.items[index]].record : this.items[index];
	}

	isChosen(index) {
		return this.shown === 'found' ? this.items[index] === this.model.hit() : this.items[index] === this.model.selected();
	}

	/* Have the chosen row in sight. */
	follow() {
		const chosen = this.shown === 'found' ? this.model.hit() : this.model.selected();
		this.rows.refresh();
		this.rows.reveal(this.items.indexOf(chosen));
	}

	click(event) {
		const row = event.target.closest('.row');
		if (!row)
			return;
		const index = Number(row.dataset.index);
		if (this.shown === 'found')
			this.model.chooseHit(this.items[index]);
		else
			this.model.choose(this.items[index]);
	}

	fill(row, index) {
		const { recording } = this, i = this.recordOf(index), side = recording.side(i);
		row.classList.toggle('chosen', this.isChosen(index));
		row.classList.add(SIDES[side]);
		row.dataset.record = i;
		row.append(element('span', 'time', secondsText(recording.logTime(i))));
		if (recording.lanes.length > 1)
			row.append(element('span', 'lane', recording.laneOf(i).tag));
		row.append(element('span', 'side', side === 0 ? 'c\u25b8' : '\u25c2s'));
		row.append(element('span', 'size', recording.type(i) === DATA ? sizeText(recording.size[i]) : ''));
		row.append(element('span', recording.isSlow(i) ? 'response slow' : 'response', recording.answered(i) ? timeText(recording.response[i]) : ''));
		if (recording.type(i) !== DATA)
			row.append(element('span', 'what', recording.whatText(i)));
		else
			row.append(this.preview(i, index));
	}

	/* The beginning of the bytes; of a match, what is around it. */
	preview(i, index) {
		const span = element('span', 'bytes');
		if (this.shown !== 'found') {
			piecesAppend(span, this.recording.beginning(i, LIST_PREVIEW), 0, Infinity, []);
			return span;
		}
		const { offset } = this.model.search.hits[this.items[index]], from = Math.max(0, offset - 12);
		const bytes = this.recording.bytes(i);
		if (from > 0)
			span.append(element('i', '', '\u2026'));
		piecesAppend(span, bytes, from, from + LIST_PREVIEW, this.model.search.ranges(i));
		return span;
	}

	/* Percentiles, and a histogram by powers of two. */
	responsesFill() {
		const { recording } = this, box = byId('responses'), counts = new Map();
		if (recording.answers.length === 0)
			return;
		const numbers = element('p', 'numbers');
		for (const [name, percent] of [['p50', 50], ['p90', 90], ['p99', 99], ['max', 100]])
			numbers.append(element('span', 'dim', `${name} `), element('b', '', timeText(recording.percentile(percent))));
		const bars = element('div', 'bars');
		const power = (i) => Math.max(0, Math.floor(Math.log2(Math.max(1, recording.response[i]))));
		for (const i of recording.answers)
			counts.set(power(i), (counts.get(power(i)) ?? 0) + 1);
		const powers = [...counts.keys()], most = Math.max(...counts.values());
		for (let p = Math.min(...powers); p <= Math.max(...powers); p++) {
			const count = counts.get(p) ?? 0, bar = element('div', 'bar'), fillable = element('div', 'fill');
			fillable.style.height = `${count > 0 ? Math.max(4, count / most * 100) : 0}%`;
			bar.title = `${timeText(2 ** p)} to ${timeText(2 ** (p + 1))}: ${countText(count, 'answer')}`;
			bar.append(fillable);
			bars.append(bar);
		}
		const ends = element('p', 'ends');
		ends.append(element('span', '', timeText(2 ** Math.min(...powers))), element('span', '', timeText(2 ** (Math.max(...powers) + 1))));
		ends.style.maxWidth = `${bars.childElementCount * 42}px`;
		box.append(numbers, bars, ends);
	}
}

/* Append bytes [from, to) to an element: escapes dim, `ranges` {from, to, hit} marked. */
function piecesAppend(box, bytes, from, to, ranges, current) {
	const end = Math.min(to, bytes.length);
	for (let at = from; at < end;) {
		const range = ranges.find((candidate) => candidate.to > at);
		const inside = range !== undefined && range.from <= at;
		const until = Math.min(end, inside ? range.to : range?.from ?? end);
		let parent = box;
		if (inside) {
			parent = element('mark', range.hit === current ? 'current' : '');
			box.append(parent);
		}
		for (const piece of bytePieces(bytes, at, until))
			parent.append(element(piece.escaped ? 'i' : 'span', '', piece.text));
		at = until;
	}
}

/* The bytes of one record, as text or hex. */
class Bytes {
	constructor(model) {
		this.model = model;
		this.recording = model.recording;
		this.mode = null; // what the user asked for, if anything
		this.bytes = '';
		this.starts = [];
		this.rows = new Rows(byId('bytes'), BYTES_HEIGHT, (row, index) => this.fill(row, index));
		byId('view-text').addEventListener('click', () => this.setMode('text'));
		byId('view-hex').addEventListener('click', () => this.setMode('hex'));
		new ResizeObserver(() => this.layout()).observe(byId('bytes'));
		this.show(-1);
	}

	setMode(mode) {
		this.mode = mode;
		this.show(this.model.selected());
	}

	/* Show a record, from its current match on if it has one; -1 shows none. */
	show(i) {
		const { recording } = this;
		this.record = i;
		this.bytes = i >= 0 ? recording.bytes(i) : '';
		this.hex = (this.mode ?? (looksBinary(this.bytes) ? 'hex' : 'text')) === 'hex';
		byId('view-hex').setAttribute('aria-pressed', this.hex);
		byId('view-text').setAttribute('aria-pressed', !this.hex);
		byId('bytes').dataset.empty = i < 0 ? 'Click on a record to see its bytes' : 'No bytes';
		byId('bytes').classList.toggle('empty', this.bytes === '');
		byId('bytes').scrollTop = 0;
		this.titleFill(i);
		this.width = 0;
		this.layout();
		this.follow();
	}

	titleFill(i) {
		const { recording } = this, title = byId('record-title'), note = byId('record-note');
		title.replaceChildren();
		note.hidden = true;
		title.className = i >= 0 ? SIDES[recording.side(i)] : '';
		if (i < 0)
			return;
		const lane = recording.laneOf(i);
		title.append(element('b', '', `${lane.tag} ${recording.side(i) === 0 ? 'client \u25b8' : '\u25c2 server'}`));
		title.append(element('span', '', recording.whatText(i)));
		if (recording.answered(i))
			title.append(element('span', '', `after ${timeText(recording.response[i])}`));
		const wall = recording.wall ? `, ${clockText(recording.base + recording.time[i], 6, true)}` : '';
		title.append(element('span', 'dim', `at ${secondsText(recording.logTime(i))}${wall}, ${lane.file}`));
		if (recording.type(i) === DATA && this.bytes.length < recording.size[i]) {
			note.textContent = `Of ${countText(recording.size[i], 'byte')}, the first ${this.bytes.length.toLocaleString('en')} are in this page.`;
			note.hidden = false;
		}
	}

	/* Break lines for the width there is. */
	layout() {
		const letter = 7.3, width = Math.max(20, Math.floor((byId('bytes').clientWidth - 80) / letter));
		if (width === this.width)
			return;
		this.width = width;
		this.starts = this.hex ? [] : lineStarts(this.bytes, width);
		this.rows.set(this.hex ? Math.ceil(this.bytes.length / HEX_WIDTH) : this.starts.length);
	}

	/* Scroll to the current match. */
	follow() {
		const range = this.model.search.ranges(this.record).find((candidate) => candidate.hit === this.model.hit());
		if (range)
			this.rows.reveal(this.hex ? Math.floor(range.from / HEX_WIDTH) : lastAtMost(this.starts, range.from));
	}

	fill(row, index) {
		const ranges = this.model.search.ranges(this.record), current = this.model.hit();
		const from = this.hex ? index * HEX_WIDTH : this.starts[index];
		const to = this.hex ? Math.min(from + HEX_WIDTH, this.bytes.length) : this.starts[index + 1] ?? this.bytes.length;
		row.append(element('span', 'offset', this.hex ? from.toString(16).padStart(8, '0') : String(from)));
		if (this.hex)
			this.fillHex(row, { from, to }, ranges, current);
		else
			piecesAppend(row, this.bytes, from, to, ranges, current);
	}

	/* As hexdump -C: digits, then what of it is ASCII. */
	fillHex(row, { from, to }, ranges, current) {
		const digits = element('span', 'digits'), letters = element('span', 'letters');
		for (let at = from; at < from + HEX_WIDTH; at++) {
			const range = at < to ? ranges.find((candidate) => candidate.from <= at && at < candidate.to) : undefined;
			const name = range ? (range.hit === current ? 'current' : '') : undefined;
			const code = this.bytes.charCodeAt(at), visible = code >= 32 && code < 127;
			const gap = at - from === HEX_WIDTH / 2 - 1 ? '  ' : ' ';
			digits.append(element(range ? 'mark' : 'span', name, at < to ? hexByte(code) : '  '), gap);
			if (at < to)
				letters.append(element(range ? 'mark' : visible ? 'span' : 'i', name, visible ? this.bytes[at] : '.'));
		}
		row.append(digits, letters);
	}
}
