/* A list of which only the rows in sight are elements of the page, for lists of any length. */

const ROW_MARGIN = 6;

class Rows {
	/* `fill(row, index)` gives an empty element its content. */
	constructor(box, height, fill) {
		this.box = box;
		this.height = height;
		this.fill = fill;
		this.count = 0;
		this.shown = new Map();
		this.sheet = document.createElement('div');
		this.sheet.className = 'sheet';
		box.append(this.sheet);
		box.addEventListener('scroll', () => this.draw());
		new ResizeObserver(() => this.draw()).observe(box);
	}

	/* There are `count` rows now, all of them new. */
	set(count) {
		this.count = count;
		this.sheet.style.height = `${count * this.height}px`;
		this.refresh();
	}

	/* Fill all rows anew. */
	refresh() {
		this.shown.clear();
		this.sheet.replaceChildren();
		this.draw();
	}

	draw() {
		const top = this.box.scrollTop, height = this.box.clientHeight;
		const first = Math.max(0, Math.floor(top / this.height) - ROW_MARGIN);
		const last = Math.min(this.count, Math.ceil((top + height) / this.height) + ROW_MARGIN);
		for (const [index, row] of this.shown) {
			if (index < first || index >= last) {
				row.remove();
				this.shown.delete(index);
			}
		}
		for (let index = first; index < last; index++) {
			if (this.shown.has(index))
				continue;
			const row = document.createElement('div');
			row.className = 'row';
			row.style.top = `${index * this.height}px`;
			row.dataset.index = index;
			this.fill(row, index);
			this.sheet.append(row);
			this.shown.set(index, row);
		}
	}

	/* Scroll as little as it takes to have the row in sight. */
	reveal(index) {
		const top = index * this.height, room = this.box.clientHeight - this.height;
		if (index < 0)
			return;
		if (top < this.box.scrollTop || top > this.box.scrollTop + room)
			this.box.scrollTop = top - room / 3;
		this.draw();
	}
}

/* An element with a class and a text: the only way in which text gets into this page. */
function element(name, className, text) {
	const made = document.createElement(name);
	if (className)
		made.className = className;
	if (text !== undefined)
		made.textContent = text;
	return made;
}
