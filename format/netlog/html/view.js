/* What of the recording is in sight: a lane per connection, all of them on one clock; and what is where. */

const OVERVIEW = 36, AXIS = 24, TOP = OVERVIEW + AXIS; // heights, in pixels
const LANE_LEAST = 30, LANE_MOST = 112;
const BOX_LEAST = [48, 26], BOX_MOST = 420; // widths of records that show their text; the least in low and in high lanes
const ROOMY = 44; // from this height on, a lane has names in two lines and larger letters
const FOOT = 44; // free room below the lanes, for the buttons
const NEAR = 7; // how far a pointer may be from a record
const SPAN_LEAST = 4; // microseconds

class View {
	/* `model` is {recording, search, selected(), lane()}. */
	constructor(canvas, model) {
		this.canvas = canvas;
		this.model = model;
		this.recording = model.recording;
		this.scale = new Scale(model.recording);
		this.scroll = 0;
	}

	resize() {
		const { clientWidth, clientHeight } = this.canvas.parentElement;
		const ratio = window.devicePixelRatio || 1;
		this.width = clientWidth;
		this.height = clientHeight;
		this.gutter = Math.round(Math.min(250, clientWidth * 0.25));
		this.canvas.width = Math.max(1, Math.round(clientWidth * ratio));
		this.canvas.height = Math.max(1, Math.round(clientHeight * ratio));
		const room = (clientHeight - TOP - FOOT) / Math.max(1, this.recording.lanes.length);
		this.laneHeight = this.laneWish ?? Math.max(LANE_LEAST, Math.min(LANE_MOST, Math.floor(room)));
		this.roomy = this.laneHeight >= ROOMY;
		this.letter = this.roomy ? 6.7 : 6.1; // width of one in boxes
		this.ratio = ratio;
		this.overview = null;
		this.scrollTo(this.scroll);
	}

	/* ---- where things are ---- */

	get plotWidth() {
		return Math.max(1, this.width - this.gutter);
	}

	/* The ends of all there is, as drawn, with some air. */
	whole() {
		const from = this.scale.place(this.recording.start), to = this.scale.place(this.recording.end);
		const air = Math.max((to - from) * 0.02, 5);
		return [from - air, to + air * 2];
	}

	x(i) {
		return this.xOf(this.scale.place(this.recording.when[i]));
	}

	xOf(place) {
		return this.gutter + (place - this.from) / (this.to - this.from) * this.plotWidth;
	}

	placeAt(x) {
		return this.from + (x - this.gutter) / this.plotWidth * (this.to - this.from);
	}

	laneTop(number) {
		return TOP + number * this.laneHeight - this.scroll;
	}

	laneAt(y) {
		const number = Math.floor((y - TOP + this.scroll) / this.laneHeight);
		return y >= TOP ? this.recording.lanes[number] : undefined;
	}

	/* ---- what the user does ---- */

	show(from, to) {
		const [least, most] = this.whole();
		const span = Math.min(Math.max(to - from, SPAN_LEAST), most - least);
		this.from = Math.min(Math.max(from, least), most - span);
		this.to = this.from + span;
		this.draw();
	}

	fit() {
		this.show(...this.whole());
	}

	zoom(factor, x = this.gutter + this.plotWidth / 2) {
		const at = this.placeAt(x), span = (this.to - this.from) / factor;
		const from = at - (at - this.from) / factor;
		this.show(from, from + span);
	}

	pan(pixels) {
		const by = pixels / this.plotWidth * (this.to - this.from);
		this.show(this.from + by, this.to + by);
	}

	/* Move the view to where the overview was pressed. */
	overviewGo(x) {
		const [from, to] = this.whole();
		const at = from + (x - this.gutter) / this.plotWidth * (to - from), span = this.to - this.from;
		this.show(at - span / 2, at + span / 2);
	}

	scrollTo(scroll) {
		const most = this.recording.lanes.length * this.laneHeight - (this.height - TOP - FOOT);
		this.scroll = Math.max(0, Math.min(scroll, most));
		this.draw();
	}

	skipSilence(on) {
		const middle = this.scale.time((this.from + this.to) / 2), whole = this.whole();
		const all = this.to - this.from >= (whole[1] - whole[0]) * 0.99;
		this.scale.shorten(on);
		this.overview = null;
		if (all)
			this.fit();
		else
			this.show(this.scale.place(middle) - (this.to - this.from) / 2, this.scale.place(middle) + (this.to - this.from) / 2);
	}

	/* Make lanes higher or lower, that at `y` staying where it is. */
	stretch(factor, y = TOP) {
		const lanes = (y - TOP + this.scroll) / this.laneHeight;
		this.laneWish = Math.max(LANE_LEAST, Math.min(2 * LANE_MOST, this.laneHeight * factor));
		this.resize();
		this.scrollTo(lanes * this.laneHeight - y + TOP);
	}

	/* Have a record in sight, moving no more than it takes. */
	reveal(i) {
		const x = this.x(i), top = this.laneTop(this.recording.lane[i]);
		if (x < this.gutter + 20 || x > this.width - 60)
			this.pan(x - this.gutter - this.plotWidth / 3);
		this.revealLane(top);
		this.draw();
	}

	revealLane(top) {
		if (top < TOP || top + this.laneHeight > this.height - FOOT)
			this.scrollTo(this.scroll + top - TOP - (this.height - TOP - this.laneHeight) / 2);
	}

	/* The record under the pointer, or -1. */
	recordAt(x, y) {
		const lane = this.laneAt(y);
		if (!lane || x < this.gutter)
			return -1;
		const side = y < this.laneTop(lane.number) + this.laneHeight / 2 ? 0 : 1;
		let best = -1, nearest = NEAR;
		for (let k = this.firstIn(lane, x - BOX_MOST); k < lane.records.length; k++) {
			const i = lane.records[k], left = this.x(i);
			if (left > x + NEAR)
				break;
			const right = left + this.boxWidth(lane, k, left);
			let distance = x < left ? left - x : x > right ? x - right : 0;
			if (this.recording.side(i) !== side && this.recording.type(i) !== CON)
				distance += NEAR / 2;
			if (distance <= nearest) {
				nearest = distance;
				best = i;
			}
		}
		return best;
	}

	/* The place among the lane's records of the first that is at x or behind it. */
	firstIn(lane, x) {
		const time = this.scale.time(this.placeAt(x));
		let low = 0, high = lane.records.length;
		while (low < high) {
			const middle = (low + high) >> 1;
			if (this.recording.when[lane.records[middle]] < time)
				low = middle + 1;
			else
				high = middle;
		}
		return low;
	}

	/* How wide the lane's k-th record may be drawn: to the next one of its side. 0 if it is but a bar. */
	boxWidth(lane, k, left) {
		const { recording } = this, i = lane.records[k];
		if (recording.type(i) !== DATA)
			return 0;
		let right = left + Math.min(BOX_MOST, 12 + recording.held(i) * this.letter);
		for (let next = k + 1; next < lane.records.length && next < k + 8; next++) {
			const x = this.x(lane.records[next]);
			if (x >= right)
				break;
			if (recording.side(lane.records[next]) === recording.side(i)) {
				right = x - 2;
				break;
			}
		}
		return right - left < Math.min(BOX_LEAST[Number(this.roomy)], 12 + recording.held(i) * this.letter) ? 0 : right - left;
	}
}
