/* The page: what is chosen, and what pointer and keys do. */

const CLICK_MOST = 4; // how far a pointer may move in a click
const TIP_PREVIEW = 400;

function byId(id) {
	return document.getElementById(id);
}

class Page {
	constructor(recording) {
		this.recording = recording;
		this.search = new Search(recording);
		this.state = { record: -1, hit: -1, lane: null };
		this.timeline = new Timeline(byId('timeline'), this);
		this.bytes = new Bytes(this);
		this.lists = new Lists(this);
		this.head();
		this.notices();
		this.pointer();
		this.keys();
		this.controls();
		this.silence(this.worthSkipping());
	}

	selected() {
		return this.state.record;
	}

	hit() {
		return this.state.hit;
	}

	lane() {
		return this.state.lane;
	}

	/* ---- choosing ---- */

	choose(i) {
		if (i < 0 || i >= this.recording.count)
			return;
		if (this.state.lane && this.recording.laneOf(i) !== this.state.lane)
			this.chooseLane(null);
		this.state.record = i;
		if (this.state.hit >= 0 && !this.search.ranges(i).some((range) => range.hit === this.state.hit))
			this.state.hit = -1;
		this.timeline.reveal(i);
		this.bytes.show(i);
		this.lists.follow();
		byId('timeline').dataset.selected = i;
	}

	chooseHit(number) {
		const { hits } = this.search;
		if (hits.length === 0)
			return;
		this.state.hit = (number + hits.length) % hits.length;
		this.choose(hits[this.state.hit].record);
		this.countTell();
	}

	/* Zoom to the chosen record and what is beside it. */
	approach() {
		if (this.state.record < 0)
			return;
		const [from, to] = this.recording.surroundings(this.state.record), { scale } = this.timeline;
		this.timeline.show(scale.place(from), scale.place(to));
	}

	/* From a match to the next; from a record without one, to the nearest. */
	stepHit(by) {
		const { hits } = this.search;
		if (this.state.hit >= 0) {
			this.chooseHit(this.state.hit + by);
			return;
		}
		const behind = hits.findIndex((hit) => hit.record > this.state.record);
		const next = behind < 0 ? hits.length : behind;
		this.chooseHit(by > 0 ? next % Math.max(1, hits.length) : next - 1);
	}

	/* To the next record or the one before; if none is chosen, to the first in sight or behind it. */
	step(by) {
		const items = this.state.lane ? this.state.lane.records : this.lists.all, { timeline } = this;
		const sight = timeline.scale.time(timeline.from);
		const at = this.state.record < 0 ? items.findIndex((i) => this.recording.when[i] >= sight) : lastAtMost(items, this.state.record) + by;
		this.choose(items[Math.max(0, Math.min(items.length - 1, at))] ?? -1);
	}

	chooseLane(lane) {
		this.state.lane = lane;
		byId('lane-clear').hidden = lane === null;
		byId('lane-clear').textContent = lane ? `${lane.tag} ${lane.title} \u00d7` : '';
		this.lists.show(this.lists.shown);
		this.timeline.draw();
	}

	stepLane(by) {
		const { lanes } = this.recording, { lane } = this.state;
		const next = lanes[lane ? Math.max(0, Math.min(lanes.length - 1, lane.number + by)) : 0];
		if (!next)
			return;
		this.chooseLane(next);
		this.timeline.revealLane(this.timeline.laneTop(next.number));
	}

	/* ---- search ---- */

	find() {
		const kind = byId('search-kind').value;
		this.wrong = this.search.find(byId('search-text').value, kind);
		this.state.hit = -1;
		byId('search').dataset.query = byId('search-text').value;
		this.countTell();
		this.lists.show(byId('search-text').value === '' ? 'records' : 'found');
		this.bytes.show(this.state.record);
		this.timeline.draw();
	}

	countTell() {
		const { hits } = this.search, { hit } = this.state, number = hits.length.toLocaleString('en');
		const most = hits.length >= HITS_MOST ? '+' : '';
		const text = hit >= 0 ? `${(hit + 1).toLocaleString('en')} of ${number}${most}` : `${number}${most} found`;
		byId('search-count').textContent = byId('search-text').value === '' ? '' : this.wrong ?? text;
		byId('search').classList.toggle('wrong', Boolean(this.wrong));
	}

	/* ---- what it is ---- */

	head() {
		const { recording } = this, { lanes } = recording;
		const root = lanes.length === 1 ? lanes[0].file : lanes[0]?.file.replace(/_?\d+(\.gz)?$/, '') ?? '';
		const bytes = [0, 1].map((side) => lanes.reduce((sum, lane) => sum + lane.bytes[side], 0));
		const answers = recording.answers.length > 0
			? ` \u00b7 answers p50 ${timeText(recording.percentile(50))}, p99 ${timeText(recording.percentile(99))}` : '';
		byId('title').textContent = root || 'netlog';
		document.title = `${root || 'netlog'} \u2013 netlog`;
		byId('summary').textContent = `${countText(lanes.length, 'connection')} \u00b7 ${countText(recording.count, 'record')} \u00b7 `
			+ `client sent ${sizeText(bytes[0])}, server ${sizeText(bytes[1])} \u00b7 ${timeText(recording.end - recording.start)}`
			+ `${recording.wall ? ` from ${clockText(recording.base + recording.start, 0, true)}` : ''}${answers}`;
	}

	/* What is missing is said, damaged logs and what was too much for a page. */
	notices() {
		const { leftOut, lanes } = this.recording, say = (text) => byId('notices').append(element('p', 'notice', text));
		const damaged = lanes.filter((lane) => lane.problems.length > 0);
		const lost = lanes.reduce((sum, lane) => sum + (lane.lost ?? 0), 0);
		if (leftOut.records > 0 || leftOut.bytes > 0)
			say(`Left out of this page: ${leftOut.records.toLocaleString('en')} of ${countText(leftOut.of.records, 'record')}, `
				+ `${leftOut.bytes.toLocaleString('en')} of ${countText(leftOut.of.bytes, 'byte')}. They are not searched either. `
				+ 'netlog html has --records, --per-record and --total to say how much a page may hold.');
		for (const lane of damaged.slice(0, 3))
			say(`Damaged: ${lane.problems.join('; ')}`);
		if (damaged.length > 3)
			say(`Damaged: ${countText(damaged.length - 3, 'more log')}, marked at the left.`);
		if (lost > 0)
			say(`${countText(lost, 'byte')} passed and could not be recorded.`);
		if (this.recording.count === 0)
			say('There are no records.');
	}

	/* Do silences take two thirds of the time? */
	worthSkipping() {
		const scale = new Scale(this.recording), { start, end } = this.recording;
		scale.shorten(true);
		return scale.knots.length > 0 && scale.place(end) - scale.place(start) < (end - start) / 3;
	}

	silence(on) {
		byId('silence').setAttribute('aria-pressed', on);
		this.timeline.skipSilence(on);
	}

	silenceToggle() {
		this.silence(byId('silence').getAttribute('aria-pressed') !== 'true');
	}

	/* ---- pointer and keys ---- */

	pointer() {
		const canvas = byId('timeline'), { timeline } = this;
		let press = null;
		canvas.addEventListener('pointerdown', (event) => {
			if (event.button !== 0)
				return;
			press = { x: event.offsetX, y: event.offsetY, at: event.offsetX, high: event.offsetY, moved: false, overview: event.offsetY < OVERVIEW };
			canvas.setPointerCapture(event.pointerId);
			if (press.overview)
				timeline.overviewGo(event.offsetX);
		});
		canvas.addEventListener('pointermove', (event) => {
			if (press)
				this.drag(press, event);
			else
				this.tip(event);
		});
		canvas.addEventListener('pointerup', (event) => {
			if (press && !press.moved && !press.overview)
				this.click(event);
			press = null;
		});
		canvas.addEventListener('pointercancel', () => { press = null; });
		canvas.addEventListener('pointerleave', () => this.tipHide());
		canvas.addEventListener('dblclick', (event) => {
			if (event.offsetY > TOP)
				timeline.zoom(4, event.offsetX);
		});
		canvas.addEventListener('wheel', (event) => this.wheel(event), { passive: false });
		this.splitter();
	}

	drag(press, event) {
		this.tipHide();
		press.moved ||= Math.hypot(event.offsetX - press.x, event.offsetY - press.y) > CLICK_MOST;
		if (press.overview) {
			this.timeline.overviewGo(event.offsetX);
		} else if (press.moved) {
			this.timeline.pan(press.at - event.offsetX);
			this.timeline.scrollTo(this.timeline.scroll + press.high - event.offsetY);
		}
		press.at = event.offsetX;
		press.high = event.offsetY;
	}

	click(event) {
		const lane = this.timeline.laneAt(event.offsetY);
		if (event.offsetX < this.timeline.gutter)
			this.chooseLane(lane && lane !== this.state.lane ? lane : null);
		else
			this.choose(this.timeline.recordAt(event.offsetX, event.offsetY));
	}

	wheel(event) {
		const unit = event.deltaMode === 1 ? 20 : 1;
		const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
		event.preventDefault();
		this.tipHide();
		if (event.ctrlKey)
			this.timeline.stretch(Math.exp(-event.deltaY * unit * 0.002), event.offsetY);
		else if (event.offsetX < this.timeline.gutter)
			this.timeline.scrollTo(this.timeline.scroll + event.deltaY * unit);
		else if (event.shiftKey || sideways)
			this.timeline.pan((sideways ? event.deltaX : event.deltaY) * unit);
		else
			this.timeline.zoom(Math.exp(-event.deltaY * unit * 0.0025), event.offsetX);
	}

	tip(event) {
		const { timeline, recording } = this, i = timeline.recordAt(event.offsetX, event.offsetY), tip = byId('tooltip');
		byId('timeline').style.cursor = i >= 0 || event.offsetX < timeline.gutter ? 'pointer' : '';
		if (i !== timeline.hover)
			timeline.draw();
		timeline.hover = i;
		tip.hidden = i < 0;
		if (i < 0)
			return;
		const head = element('p', SIDES[recording.side(i)]);
		const response = recording.answered(i) ? ` after ${timeText(recording.response[i])}` : '';
		head.append(element('b', '', `${recording.laneOf(i).tag} ${recording.whatText(i)}${response}`));
		tip.replaceChildren(head, element('p', 'dim', `at ${secondsText(recording.logTime(i))}`));
		if (recording.held(i) > 0) {
			const sample = element('p', 'bytes');
			piecesAppend(sample, recording.beginning(i, TIP_PREVIEW), 0, TIP_PREVIEW, this.search.ranges(i));
			tip.append(sample);
		}
		const room = timeline.width - tip.offsetWidth - 8;
		tip.style.left = `${Math.max(0, Math.min(event.offsetX + 14, room))}px`;
		const below = event.offsetY + 18;
		tip.style.top = `${below + tip.offsetHeight > timeline.height ? Math.max(0, event.offsetY - tip.offsetHeight - 10) : below}px`;
	}

	tipHide() {
		byId('tooltip').hidden = true;
		if (this.timeline.hover >= 0)
			this.timeline.draw();
		this.timeline.hover = -1;
	}

	splitter() {
		const splitter = byId('splitter');
		splitter.addEventListener('pointerdown', (event) => splitter.setPointerCapture(event.pointerId));
		splitter.addEventListener('pointermove', (event) => {
			if (!splitter.hasPointerCapture(event.pointerId))
				return;
			const share = Math.max(15, Math.min(80, 100 - event.clientY / window.innerHeight * 100));
			document.body.style.setProperty('--details', `${share}vh`);
		});
	}

	controls() {
		let timer = 0;
		const later = () => {
			clearTimeout(timer);
			timer = setTimeout(() => this.find(), 120);
		};
		byId('list').addEventListener('dblclick', () => this.approach());
		byId('search-text').addEventListener('input', later);
		byId('search-kind').addEventListener('change', () => this.find());
		byId('search').addEventListener('submit', (event) => {
			event.preventDefault();
			clearTimeout(timer);
			if (byId('search').dataset.query !== byId('search-text').value)
				this.find();
			this.stepHit(1);
		});
		const clicks = {
			'search-next': () => this.stepHit(1),
			'search-previous': () => this.stepHit(-1),
			'zoom-in': () => this.timeline.zoom(2),
			'zoom-out': () => this.timeline.zoom(0.5),
			'zoom-fit': () => this.timeline.fit(),
			silence: () => this.silenceToggle(),
			'lane-clear': () => this.chooseLane(null),
			'help-open': () => byId('help').showModal(),
		};
		for (const [id, act] of Object.entries(clicks))
			byId(id).addEventListener('click', act);
	}

	keys() {
		const { timeline } = this, part = () => timeline.plotWidth / 5;
		const acts = {
			'+': () => timeline.zoom(1.6),
			'=': () => timeline.zoom(1.6),
			'-': () => timeline.zoom(1 / 1.6),
			0: () => timeline.fit(),
			z: () => this.approach(),
			']': () => timeline.stretch(1.25),
			'[': () => timeline.stretch(0.8),
			ArrowLeft: () => timeline.pan(-part()),
			ArrowRight: () => timeline.pan(part()),
			ArrowUp: () => this.stepLane(-1),
			ArrowDown: () => this.stepLane(1),
			j: () => this.step(1),
			k: () => this.step(-1),
			n: () => this.stepHit(1),
			N: () => this.stepHit(-1),
			t: () => this.bytes.setMode('text'),
			x: () => this.bytes.setMode('hex'),
			s: () => this.silenceToggle(),
			'/': () => byId('search-text').select(),
			'?': () => byId('help').showModal(),
			Escape: () => this.chooseLane(null),
		};
		document.addEventListener('keydown', (event) => {
			const typing = event.target.closest?.('input, select, dialog');
			if (typing && event.key === 'Escape')
				event.target.blur();
			const act = Object.hasOwn(acts, event.key) ? acts[event.key] : undefined;
			if (typing || !act || event.ctrlKey || event.metaKey || event.altKey)
				return;
			event.preventDefault();
			act();
		});
	}
}

new Page(new Recording(JSON.parse(byId('recording').textContent)));
document.documentElement.dataset.ready = 'yes';
