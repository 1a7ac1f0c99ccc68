/* The recording: what `netlog html` wrote into the page, and what is derived from it. */

const CON = 0, DATA = 1, HUP = 2, ERR = 3, PROBLEM = 4;
const SIDES = ['client', 'server'];

/* One connection. */
class Lane {
	constructor(fields, number) {
		for (const [name, value] of Object.entries(fields))
			this[name] = typeof value === 'string' ? seenText(value) : value;
		this.number = number;
		this.records = []; // their indexes
		this.problems = []; // what is wrong with the log
		this.bytes = [0, 0]; // by side
		this.turns = 0;
	}

	get tag() {
		return this.n > 0 ? `#${this.n}` : `#${this.number + 1}`;
	}

	get file() {
		return this.log.slice(this.log.lastIndexOf('/') + 1);
	}

	get title() {
		return this.client ? `${this.client} \u2192 ${this.server}` : this.file;
	}
}

/* All of it; records are columns of arrays, for there may be many. */
class Recording {
	constructor(json) {
		const rows = json.records.filter((row) => row[1] >> 1 !== PROBLEM);
		this.wall = json.wall;
		this.base = json.base;
		this.leftOut = json.left_out;
		this.lanes = json.lanes.map((fields, number) => new Lane(fields, number));
		for (const row of json.records)
			if (row[1] >> 1 === PROBLEM)
				this.lanes[row[0]].problems.push(row[4]);
		this.count = rows.length;
		this.lane = Uint32Array.from(rows, (row) => row[0]);
		this.kind = Uint8Array.from(rows, (row) => row[1]);
		this.time = Float64Array.from(rows, (row) => row[2]);
		this.size = Float64Array.from(rows, (row) => row[3]);
		this.response = Float64Array.from(rows, (row) => row[5] ?? NaN);
		this.data = rows.map((row) => row[4] ?? '');
		this.when = new Float64Array(this.count); // the time, but never before the one before it in the lane
		this.largest = 0;
		this.lanesFill();
		this.end = this.when.reduce((most, when) => Math.max(most, when), 0);
		this.start = this.when.reduce((least, when) => Math.min(least, when), this.end);
		this.answers = this.answersSorted();
	}

	lanesFill() {
		for (let i = 0; i < this.count; i++) {
			const lane = this.lanes[this.lane[i]];
			const before = lane.records.at(-1);
			this.when[i] = before === undefined ? this.time[i] : Math.max(this.when[before], this.time[i]);
			lane.records.push(i);
			lane.bytes[this.side(i)] += this.size[i];
			lane.turns += this.answered(i) ? 1 : 0;
			this.largest = Math.max(this.largest, this.size[i]);
		}
	}

	/* Records that are an answer, the slowest first. */
	answersSorted() {
		const found = [];
		for (let i = 0; i < this.count; i++)
			if (this.answered(i))
				found.push(i);
		return found.sort((a, b) => this.response[b] - this.response[a] || a - b);
	}

	side(i) {
		return this.kind[i] & 1;
	}

	type(i) {
		return this.kind[i] >> 1;
	}

	answered(i) {
		return !Number.isNaN(this.response[i]);
	}

	laneOf(i) {
		return this.lanes[this.lane[i]];
	}

	/* How many of the record's bytes are in the page. */
	held(i) {
		const text = this.data[i];
		return text.length / 4 * 3 - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0);
	}

	bytes(i) {
		return atob(this.data[i]);
	}

	/* The first bytes, some `most`. */
	beginning(i, most) {
		return atob(this.data[i].slice(0, Math.ceil(most / 3) * 4));
	}

	/* A stretch of time in which the record, its request and the ones beside it can be told apart. */
	surroundings(i) {
		const { records } = this.laneOf(i), at = lastAtMost(records, i), when = this.when[i];
		const wait = this.answered(i) ? this.response[i] : 0;
		const gaps = [when - this.when[records[at - 1] ?? i], this.when[records[at + 1] ?? i] - when].filter((gap) => gap > 0);
		const span = Math.max(wait, Math.min(...gaps, 1e6), 5);
		return [when - wait - span, when + span * 3];
	}

	/* The time as it stands in the log. */
	logTime(i) {
		return this.base + this.time[i] - this.laneOf(i).shift;
	}

	/* A time after the first record, as the axis tells it. */
	axisText(us, decimals) {
		if (this.wall)
			return clockText(this.base + us, decimals, false);
		return `${((this.base + us) / 1e6).toFixed(decimals)} s`;
	}

	/* What the record is, in a few words. */
	whatText(i) {
		const lane = this.laneOf(i);
		switch (this.type(i)) {
		case CON:
			return lane.client ? `opened, ${lane.title}` : 'opened';
		case HUP:
			return `${SIDES[this.side(i)]} ended its stream`;
		case ERR:
			return `${SIDES[this.side(i)]} failed: reset or timeout`;
		default:
			return countText(this.size[i], 'byte');
		}
	}

	/* Is the answer among the slowest, and much slower than usual? */
	isSlow(i) {
		this.slow ??= this.answers.length < 5 ? Infinity : Math.max(this.percentile(95), 4 * this.percentile(50));
		return this.response[i] >= this.slow;
	}

	percentile(percent) {
		const count = this.answers.length;
		return this.response[this.answers[count - Math.max(1, Math.ceil(count * percent / 100))]];
	}
}

/*
 * Where times are drawn. Silences, in which nothing happens and no answer is awaited, may be drawn short;
 * `knots` are the silences as {from, to, at, width}: times, and place and width as drawn.
 */
class Scale {
	constructor(recording) {
		this.recording = recording;
		this.knots = [];
	}

	/* All the time between two records in which no answer is awaited, as {from, to}. */
	static silences(recording) {
		const order = Array.from(recording.when).sort((a, b) => a - b);
		const waits = recording.answers.map((i) => [recording.when[i] - recording.response[i], recording.when[i]]);
		const gaps = [];
		let covered = -Infinity, next = 0;
		waits.sort((a, b) => a[0] - b[0]);
		for (let i = 1; i < order.length; i++) {
			for (; next < waits.length && waits[next][0] <= order[i - 1]; next++)
				covered = Math.max(covered, waits[next][1]);
			if (order[i] > order[i - 1] && covered < order[i])
				gaps.push({ from: order[i - 1], to: order[i] });
		}
		return gaps;
	}

	/* Draw silences short that are more than a twentieth of what else there is, or draw all at length. */
	shorten(on) {
		const { start, end } = this.recording;
		let rest = end - start, chosen = new Set();
		this.knots = [];
		if (!on)
			return;
		const gaps = Scale.silences(this.recording).sort((a, b) => b.to - b.from - (a.to - a.from));
		for (const gap of gaps) {
			if (chosen.size >= 60 || gap.to - gap.from < rest / 20)
				break;
			chosen.add(gap);
			rest -= gap.to - gap.from;
		}
		const width = Math.max(rest, 10) / Math.max(20, chosen.size);
		let cut = 0;
		for (const gap of [...chosen].sort((a, b) => a.from - b.from)) {
			if (gap.to - gap.from <= width)
				continue;
			this.knots.push({ ...gap, at: gap.from - cut, width });
			cut += gap.to - gap.from - width;
		}
	}

	/* The last knot that `is` holds for, or undefined; they are in order. */
	knotBefore(is) {
		let low = 0, high = this.knots.length;
		while (low < high) {
			const middle = (low + high) >> 1;
			if (is(this.knots[middle]))
				low = middle + 1;
			else
				high = middle;
		}
		return this.knots[low - 1];
	}

	place(time) {
		const knot = this.knotBefore((candidate) => candidate.from <= time);
		if (!knot)
			return time;
		if (time < knot.to)
			return knot.at + (time - knot.from) / (knot.to - knot.from) * knot.width;
		return knot.at + knot.width + time - knot.to;
	}

	time(place) {
		const knot = this.knotBefore((candidate) => candidate.at <= place);
		if (!knot)
			return place;
		if (place < knot.at + knot.width)
			return knot.from + (place - knot.at) / knot.width * (knot.to - knot.from);
		return knot.to + place - knot.at - knot.width;
	}
}
