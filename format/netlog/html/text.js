'use strict';
/* Times, sizes and bytes as text. Bytes are "binary strings": one character of 0 to 255 each. */

const UNSEEN = /[\p{C}\p{Z}]/u; // controls, direction marks, separators: never shown as themselves
const ESCAPES = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\0': '\\0' };

/* Microseconds for people: "36 \u00b5s", "1.53 ms", "2.10 s", "3m 20s". */
function timeText(us) {
	if (us < 1000)
		return `${Math.round(us)} \u00b5s`;
	if (us < 999995)
		return `${(us / 1000).toFixed(2)} ms`;
	if (us < 60e6)
		return `${(us / 1e6).toFixed(2)} s`;
	const seconds = Math.round(us / 1e6);
	if (seconds < 3600)
		return `${Math.floor(seconds / 60)}m ${seconds % 60}s`;
	return `${Math.floor(seconds / 3600)}h ${Math.floor(seconds % 3600 / 60)}m`;
}

/* Seconds as logs and netlog show write them: "0.309922". */
function secondsText(us) {
	const whole = Math.abs(us);
	const rest = String(Math.floor(whole % 1e6)).padStart(6, '0');
	return `${us < 0 ? '-' : ''}${Math.floor(whole / 1e6)}.${rest}`;
}

/* Microseconds since the epoch as local time of day, with the date if asked for. */
function clockText(us, decimals, date) {
	const when = new Date(us / 1000);
	if (Number.isNaN(when.getTime()))
		return secondsText(us);
	const two = (number) => String(number).padStart(2, '0');
	const fraction = String(((us % 1e6) + 1e6) % 1e6).padStart(6, '0').slice(0, decimals);
	const day = `${when.getFullYear()}-${two(when.getMonth() + 1)}-${two(when.getDate())} `;
	const time = `${two(when.getHours())}:${two(when.getMinutes())}:${two(when.getSeconds())}`;
	return (date ? day : '') + time + (decimals > 0 ? `.${fraction}` : '');
}

function sizeText(bytes) {
	for (const unit of ['', 'k', 'M', 'G', 'T']) {
		if (bytes < 1000 || unit === 'T')
			return `${unit === '' || bytes >= 100 ? Math.round(bytes) : bytes.toFixed(1)}${unit}`;
		bytes /= 1024;
	}
}

function countText(count, noun) {
	return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}

/* A name, without what cannot be seen or turns the direction of what follows. */
function seenText(name) {
	return name.replace(/[\p{C}\p{Z}]/gu, (c) => (c === ' ' ? c : `\\u{${c.codePointAt(0).toString(16)}}`));
}

function hexByte(code) {
	return code.toString(16).padStart(2, '0');
}

/* How many bytes at `at` are one character of UTF-8; 0 if they are none. */
function utf8Length(bytes, at) {
	const first = bytes.charCodeAt(at);
	const length = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
	if (at + length > bytes.length)
		return 0;
	for (let i = 1; i < length; i++)
		if ((bytes.charCodeAt(at + i) & 0xc0) !== 0x80)
			return 0;
	return length;
}

const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/* The character of `length` bytes at `at`, or null if it is none or must not be shown as itself. */
function characterAt(bytes, at, length) {
	let text = bytes[at];
	if (length > 1) {
		try {
			text = utf8Decoder.decode(Uint8Array.from(bytes.substr(at, length), (c) => c.charCodeAt(0)));
		} catch {
			return null;
		}
	}
	return text === ' ' || !UNSEEN.test(text) ? text : null;
}

/*
 * Bytes [from, to) as pieces {text, escaped, from, to}: runs of characters that stand for themselves, and
 * runs of escapes such as "\r\n" or "\x1b".
 */
function bytePieces(bytes, from, to) {
	const pieces = [];
	for (let at = from; at < to;) {
		const length = utf8Length(bytes, at);
		const shown = length > 0 ? characterAt(bytes, at, length) : null;
		const step = shown === null ? 1 : length;
		const text = shown ?? ESCAPES[bytes[at]] ?? `\\x${hexByte(bytes.charCodeAt(at))}`;
		const last = pieces.at(-1);
		if (last && last.escaped === (shown === null)) {
			last.text += text;
			last.to = at + step;
		} else {
			pieces.push({ text, escaped: shown === null, from: at, to: at + step });
		}
		at += step;
	}
	return pieces;
}

/* The beginning of the bytes as one line without marks, for labels. */
function previewText(bytes, most) {
	return bytePieces(bytes, 0, Math.min(bytes.length, most)).map((piece) => piece.text).join('');
}

/* Where the lines begin: behind each newline, and after `width` bytes, but not inside a character. */
function lineStarts(bytes, width) {
	const starts = [];
	for (let at = 0; at < bytes.length;) {
		starts.push(at);
		const newline = bytes.indexOf('\n', at);
		let end = newline < 0 ? bytes.length : newline + 1;
		if (end - at > width) {
			end = at + width;
			for (let back = 0; back < 3 && (bytes.charCodeAt(end) & 0xc0) === 0x80; back++)
				end--;
		}
		at = end;
	}
	return starts;
}

/* Is it better read as hex? */
function looksBinary(bytes) {
	const sample = bytes.slice(0, 2048);
	const escaped = bytePieces(sample, 0, sample.length).reduce(
	    (sum, piece) => sum + (piece.escaped ? piece.text.replace(/\\[rnt]/g, '').length / 4 : 0), 0);
	return escaped > sample.length * 0.2;
}
