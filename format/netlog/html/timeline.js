/* The timeline as it is drawn: lanes on one canvas, and above them all of the recording at a glance. */

class Timeline extends View {
	constructor(canvas, model) {
		super(canvas, model);
		this.context = canvas.getContext('2d');
		this.hover = -1;
		this.frame = 0;
		new ResizeObserver(() => this.resize()).observe(canvas.parentElement);
		matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.theme());
		this.theme();
		this.resize();
		this.fit();
	}

	theme() {
		const style = getComputedStyle(document.documentElement);
		this.colors = {};
		for (const name of ['back', 'panel', 'line', 'text', 'dim', 'client', 'server', 'client-soft', 'server-soft', 'wait', 'slow', 'hit', 'wrong', 'chosen'])
			this.colors[name] = style.getPropertyValue(`--${name}`).trim();
		this.mono = style.getPropertyValue('--mono');
		this.sans = style.getPropertyValue('--sans');
		this.draw();
	}

	draw() {
		if (!this.frame)
			this.frame = requestAnimationFrame(() => {
				this.frame = 0;
				this.paint();
			});
	}

	paint() {
		const { context, colors } = this;
		this.drawn = 0;
		context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
		context.fillStyle = colors.back;
		context.fillRect(0, 0, this.width, this.height);
		this.paintLanes();
		this.paintAxis();
		this.paintOverview();
		Object.assign(this.canvas.dataset, {
			lanes: this.recording.lanes.length,
			from: this.from,
			to: this.to,
			drawn: this.drawn,
			frames: Number(this.canvas.dataset.frames ?? 0) + 1,
		});
	}

	clipped(x, y, width, height, paint) {
		const { context } = this;
		context.save();
		context.beginPath();
		context.rect(x, y, width, height);
		context.clip();
		paint();
		context.restore();
	}

	paintLanes() {
		const first = Math.max(0, Math.floor(this.scroll / this.laneHeight));
		const last = Math.min(this.recording.lanes.length, Math.ceil((this.scroll + this.height - TOP) / this.laneHeight));
		const lanes = this.recording.lanes.slice(first, last);
		this.clipped(0, TOP, this.width, this.height - TOP, () => {
			lanes.forEach((lane) => this.paintGround(lane));
			this.clipped(this.gutter, TOP, this.plotWidth, this.height - TOP, () => {
				this.paintSilences();
				lanes.forEach((lane) => this.paintLane(lane));
			});
			this.clipped(0, TOP, this.gutter - 8, this.height - TOP, () => lanes.forEach((lane) => this.paintName(lane)));
			this.paintScrollbar();
		});
	}

	paintGround(lane) {
		const { context, colors, laneHeight } = this, top = this.laneTop(lane.number);
		const chosen = this.model.lane() === lane;
		if (chosen || lane.number % 2 === 1) {
			context.fillStyle = chosen ? colors.chosen : colors.panel;
			context.fillRect(0, top, this.width, laneHeight);
		}
		context.fillStyle = colors.line;
		context.fillRect(0, top + laneHeight - 1, this.width, 1);
		context.fillRect(this.gutter - 1, top, 1, laneHeight);
	}

	paintName(lane) {
		const { context, colors } = this, top = this.laneTop(lane.number);
		const wrong = lane.problems.length > 0;
		let y = top + this.laneHeight / 2 + (this.roomy ? -4 : 4);
		context.font = `600 12px ${this.sans}`;
		context.fillStyle = wrong ? colors.wrong : colors.text;
		const tag = `${lane.tag}${wrong ? ' \u26a0' : ''} `;
		context.fillText(tag, 12, y);
		const indent = context.measureText(tag).width;
		context.font = `12px ${this.sans}`;
		context.fillStyle = wrong ? colors.wrong : colors.text;
		context.fillText(wrong ? 'damaged' : lane.client || lane.file, 12 + indent, y);
		if (!this.roomy)
			return;
		y += 16;
		context.font = `11px ${this.sans}`;
		context.fillStyle = colors.dim;
		const turns = lane.turns > 0 ? `, ${countText(lane.turns, 'turn')}` : '';
		// ends as they should be are not worth the room
		const end = lane.end && !lane.end.endsWith('hup') ? `, ${lane.end}` : '';
		context.fillText(`sent ${sizeText(lane.bytes[0])}, got ${sizeText(lane.bytes[1])}${turns}${end}`, 12, y);
	}

	paintScrollbar() {
		const all = this.recording.lanes.length * this.laneHeight, room = this.height - TOP - FOOT;
		if (all <= room)
			return;
		this.context.fillStyle = this.colors.dim;
		this.context.fillRect(this.width - 5, TOP + this.scroll / all * room, 4, Math.max(16, room / all * room));
	}

	paintSilences() {
		const { context, colors } = this;
		context.font = `10px ${this.sans}`;
		context.textAlign = 'center';
		for (const knot of this.scale.knots) {
			const left = this.xOf(knot.at), right = this.xOf(knot.at + knot.width);
			if (right < this.gutter || left > this.width || right - left < 2)
				continue;
			const inset = (right - left) * 0.15;
			context.globalAlpha = 0.5;
			context.fillStyle = colors.line;
			for (let x = left + inset; x < right - inset; x += 5)
				context.fillRect(x, TOP, 1.5, this.height - TOP);
			context.globalAlpha = 1;
			context.fillStyle = colors.dim;
			if (right - left > 36)
				context.fillText(timeText(knot.to - knot.from), (left + right) / 2, this.height - 6);
		}
		context.textAlign = 'left';
	}

	paintLane(lane) {
		const { context, colors, recording, laneHeight } = this;
		const top = this.laneTop(lane.number), middle = top + laneHeight / 2, { records } = lane;
		if (records.length === 0)
			return;
		const left = this.x(records[0]), right = this.x(records.at(-1));
		context.fillStyle = colors.dim;
		context.globalAlpha = 0.6;
		context.fillRect(left, middle - 0.5, Math.max(1, right - left), 1);
		context.globalAlpha = 1;
		const state = { middle, half: laneHeight / 2 - (this.roomy ? 9 : 4), last: [-9, -9], high: [0, 0] };
		let k = this.firstIn(lane, this.gutter - BOX_MOST);
		for (; k < records.length; k++) {
			const x = this.x(records[k]);
			// an answer's band may begin in sight though the answer is behind it
			if (x > this.width && !recording.answered(records[k]))
				break;
			this.paintRecord(lane, k, x, state);
			if (x > this.width)
				break;
		}
		if (lane.problems.length > 0) {
			context.fillStyle = colors.wrong;
			context.font = `600 12px ${this.sans}`;
			context.fillText('\u26a0 damaged here', right + 10, middle + 4);
		}
	}

	paintRecord(lane, k, x, state) {
		const { recording } = this, i = lane.records[k];
		if (recording.answered(i))
			this.paintWait(i, x, state);
		if (x > this.width)
			return;
		this.drawn++;
		if (recording.type(i) === DATA)
			this.paintData(lane, k, x, state);
		else
			this.paintSign(i, x, state);
		if (i === this.model.selected() || i === this.hover)
			this.paintChosen(i, x, state);
	}

	/* The time from a request's last byte to its answer's first. */
	paintWait(i, x, state) {
		const { context, colors, recording } = this;
		const begin = this.xOf(this.scale.place(recording.when[i] - recording.response[i]));
		const slow = recording.isSlow(i), thick = this.roomy ? 6 : 4;
		if (x - begin < 1)
			return;
		context.fillStyle = slow ? colors.slow : colors.wait;
		context.fillRect(begin, state.middle - thick / 2, x - begin, thick);
		const text = timeText(recording.response[i]);
		context.font = `${slow ? '600 ' : ''}10px ${this.sans}`;
		const width = context.measureText(text).width + 8;
		const from = Math.max(begin, this.gutter), to = Math.min(x, this.width);
		if (to - from < width + 8 || !this.roomy)
			return;
		const left = (from + to - width) / 2;
		context.fillStyle = colors.back;
		context.fillRect(left, state.middle - 7, width, 14);
		context.fillStyle = slow ? colors.slow : colors.dim;
		context.fillText(text, left + 4, state.middle + 3.5);
	}

	paintData(lane, k, x, state) {
		const { context, colors, recording } = this, i = lane.records[k], side = recording.side(i);
		const hit = this.model.search.touched.has(i), width = this.boxWidth(lane, k, x);
		const share = Math.log2(1 + recording.size[i]) / Math.log2(2 + recording.largest);
		const least = width > 0 ? Math.min(15, state.half) : 4, high = least + (state.half - least) * share;
		// of bars in one place only the highest is drawn
		if (!hit && width === 0 && x - state.last[side] < 1 && high <= state.high[side])
			return;
		if (x - state.last[side] >= 1 || high > state.high[side])
			state.high[side] = high;
		state.last[side] = x;
		const gap = this.roomy ? 8 : 3;
		const top = side === 0 ? state.middle - gap - high : state.middle + gap;
		if (hit) {
			context.fillStyle = colors.hit;
			context.fillRect(x - 3, side === 0 ? state.middle - gap - state.half : top, Math.max(width, 3) + 6, state.half + 1);
		}
		if (width > 0)
			this.paintBox(i, { x, top, width, high }, hit);
		const hollow = recording.held(i) < recording.size[i];
		context.fillStyle = hollow ? colors.back : colors[SIDES[side]];
		context.strokeStyle = colors[SIDES[side]];
		context.fillRect(x, top, 3, high);
		if (hollow)
			context.strokeRect(x + 0.5, top + 0.5, 3, high - 1);
	}

	paintBox(i, box, hit) {
		const { context, colors, recording } = this, side = recording.side(i);
		context.fillStyle = hit ? colors.back : colors[`${SIDES[side]}-soft`];
		context.globalAlpha = hit ? 0.8 : 1;
		context.fillRect(box.x, box.top, box.width, box.high);
		context.globalAlpha = 1;
		const most = Math.floor((box.width - 9) / this.letter);
		if (most < 1)
			return;
		context.font = `${this.roomy ? 11 : 10}px ${this.mono}`;
		context.fillStyle = colors.text;
		const text = previewText(recording.beginning(i, most + 4), most + 1);
		const rise = this.roomy ? 4.5 : 2.5, y = side === 0 ? box.top + box.high - rise : box.top + (this.roomy ? 11 : 8.5);
		this.clipped(box.x, box.top, box.width, box.high, () => context.fillText(text, box.x + 7, y));
	}

	/* Beginnings and ends. */
	paintSign(i, x, state) {
		const { context, colors, recording } = this, side = recording.side(i), type = recording.type(i);
		const up = side === 0 ? -1 : 1, reach = Math.min(state.half, 22);
		context.lineWidth = 2;
		context.strokeStyle = type === ERR ? colors.wrong : type === HUP ? colors[SIDES[side]] : colors.text;
		context.fillStyle = colors.back;
		context.beginPath();
		if (type === CON) {
			context.arc(x, state.middle, 4, 0, 2 * Math.PI);
			context.fill();
		} else if (type === HUP) {
			context.moveTo(x, state.middle);
			context.lineTo(x, state.middle + up * reach);
			context.moveTo(x - 4, state.middle + up * reach);
			context.lineTo(x + 4, state.middle + up * reach);
		} else {
			const y = state.middle + up * Math.min(state.half / 2 + 4, 12);
			context.moveTo(x - 5, y - 5);
			context.lineTo(x + 5, y + 5);
			context.moveTo(x + 5, y - 5);
			context.lineTo(x - 5, y + 5);
		}
		context.stroke();
		context.lineWidth = 1;
	}

	paintChosen(i, x, state) {
		const { context, colors } = this, selected = i === this.model.selected();
		context.strokeStyle = colors.text;
		context.globalAlpha = selected ? 0.9 : 0.4;
		context.strokeRect(x - 2.5, state.middle - this.laneHeight / 2 + 2.5, 8, this.laneHeight - 6);
		context.globalAlpha = 1;
	}

	paintAxis() {
		const { context, colors } = this;
		context.fillStyle = colors.back;
		context.fillRect(0, 0, this.width, TOP);
		context.fillStyle = colors.line;
		context.fillRect(0, TOP - 1, this.width, 1);
		context.font = `11px ${this.sans}`;
		context.textAlign = 'left';
		this.clipped(this.gutter, OVERVIEW, this.plotWidth, AXIS, () => this.paintTicks());
		context.fillStyle = colors.dim;
		context.fillText(this.recording.wall ? 'local time' : 'time in the log', 12, OVERVIEW + 16);
	}

	paintTicks() {
		const { context, colors, recording } = this;
		const rough = (this.to - this.from) / this.plotWidth * 110;
		const power = 10 ** Math.floor(Math.log10(rough));
		const step = Math.max(1, power * [1, 2, 5, 10].find((times) => times * power >= rough));
		const decimals = Math.max(0, Math.min(6, 6 - Math.floor(Math.log10(step))));
		// steps count from a whole second, so that they are round numbers
		const shift = recording.base % 1e6;
		for (let x = this.gutter; x <= this.width;) {
			const tick = Math.ceil((this.scale.time(this.placeAt(x)) + shift) / step) * step - shift;
			const at = this.xOf(this.scale.place(tick));
			if (at >= x && at <= this.width) {
				context.fillStyle = colors.line;
				context.fillRect(at, OVERVIEW + 4, 1, AXIS);
				context.fillStyle = colors.dim;
				context.fillText(recording.axisText(tick, decimals), at + 4, OVERVIEW + 16);
			}
			x = Math.max(at + 80, x + 20);
		}
	}

	/* Bytes by pixel, of both sides. */
	overviewCount() {
		const bins = [new Float64Array(this.plotWidth), new Float64Array(this.plotWidth)];
		const [from, to] = this.whole(), { recording } = this;
		for (let i = 0; i < recording.count; i++) {
			const bin = Math.floor((this.scale.place(recording.when[i]) - from) / (to - from) * this.plotWidth);
			bins[recording.side(i)][bin] += recording.size[i] + 1;
		}
		this.overview = { bins, most: Math.max(1, ...bins.map((side) => side.reduce((a, b) => Math.max(a, b), 0))) };
	}

	paintOverview() {
		const { context, colors } = this, [from, to] = this.whole();
		if (!this.overview)
			this.overviewCount();
		const middle = OVERVIEW / 2, place = (at) => this.gutter + (at - from) / (to - from) * this.plotWidth;
		context.fillStyle = colors.panel;
		context.fillRect(this.gutter, 0, this.plotWidth, OVERVIEW - 1);
		for (const side of [0, 1]) {
			context.fillStyle = colors[SIDES[side]];
			this.overview.bins[side].forEach((bytes, x) => {
				const high = bytes > 0 ? 2 + (middle - 5) * Math.log2(1 + bytes) / Math.log2(1 + this.overview.most) : 0;
				context.fillRect(this.gutter + x, side === 0 ? middle - high : middle, 1, high);
			});
		}
		context.fillStyle = colors.hit;
		for (const hit of this.model.search.hits)
			context.fillRect(place(this.scale.place(this.recording.when[hit.record])) - 1, OVERVIEW - 6, 2, 5);
		const left = place(this.from), right = place(this.to);
		context.fillStyle = colors.back;
		context.globalAlpha = 0.65;
		context.fillRect(this.gutter, 0, left - this.gutter, OVERVIEW - 1);
		context.fillRect(right, 0, this.width - right, OVERVIEW - 1);
		context.globalAlpha = 1;
		context.strokeStyle = colors.dim;
		context.strokeRect(left + 0.5, 0.5, Math.max(3, right - left - 1), OVERVIEW - 2);
		context.font = `11px ${this.sans}`;
		context.fillStyle = colors.client;
		context.fillText('\u25b2 client sent', 12, middle - 3);
		context.fillStyle = colors.server;
		context.fillText('\u25bc server sent', 12, middle + 12);
	}
}
