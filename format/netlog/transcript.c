#include "format/netlog/transcript.h"

#include <stdio.h>

#include "format/netlog/text.h"
#include "format/timeline.h"
#include "format/units.h"

#define INDENT "    " /* no line of payload can pass for a header, which begins at the margin */
#define SGR_CLIENT "\033[36m"
#define SGR_SERVER "\033[33m"
#define SGR_LIT "\033[1;31m"
#define SGR_RESET "\033[0m"

static void
sgr(const struct transcript *transcript, const char *sequence)
{
	if (transcript->colour)
		fputs(sequence, stdout);
}

static void
lit_set(struct transcript *transcript, bool lit)
{
	if (transcript->lit != lit)
		sgr(transcript, lit ? SGR_LIT : SGR_RESET);
	transcript->lit = lit;
}

static void
line_tail(const struct transcript_line *line)
{
	const struct record *record = line->record;
	const struct index_entry *entry = &line->item->entry;
	char time[UNITS_TEXT_MAX];

	if (record->type == RECORD_DATA)
		printf(
		    "%llu byte%s", (unsigned long long)record->size, record->size == 1 ? "" : "s");
	else
		fputs(record_type_name(record->type), stdout);
	if (line->response >= 0)
		printf(" after %s", units_format_time(line->response, time));
	if (record->type == RECORD_CON && line->item->indexed && entry->client[0] != '\0')
		printf(" %s to %s", text_name(entry->client), text_name(entry->server));
}

void
transcript_begin(struct transcript *transcript, const struct transcript_line *line)
{
	const struct record *record = line->record;
	char text[TEXT_TIME_MAX];

	sgr(transcript, record->side == SIDE_CLIENT ? SGR_CLIENT : SGR_SERVER);
	if (transcript->wall && logset_has_wall(line->item))
		printf("%s ", text_wall(timeline_clock(line->item, record->time), 6, text));
	printf("%-12s ", text_seconds(record->time, text));
	if (transcript->column > 0)
		printf("%-*s ", transcript->column, line->column);
	fputs(record->side == SIDE_CLIENT ? "c> " : "<s ", stdout);
	line_tail(line);
	sgr(transcript, SGR_RESET);
	putchar('\n');
	transcript->in_line = false;
	transcript->offset = 0;
	transcript->row_count = 0;
}

static void
text_data(struct transcript *transcript, const unsigned char *data, size_t size, bool lit)
{
	for (size_t i = 0; i < size; i++) {
		if (!transcript->in_line) {
			fputs(INDENT, stdout);
			transcript->in_line = true;
		}
		if (data[i] == '\n') {
			lit_set(transcript, false);
			transcript->in_line = false;
			putchar_unlocked('\n');
			continue;
		}
		if (transcript->lit != lit)
			lit_set(transcript, lit);
		for (const char *text = text_byte(data[i]); *text != '\0'; text++)
			putchar_unlocked(*text);
	}
}

/* One line in the layout of hexdump -C. */
static void
hex_row(struct transcript *transcript)
{
	size_t count = transcript->row_count;

	printf(INDENT "%08llx ", transcript->offset);
	for (size_t i = 0; i < TRANSCRIPT_HEX_WIDTH; i++) {
		fputs(i == TRANSCRIPT_HEX_WIDTH / 2 ? "  " : " ", stdout);
		if (i >= count) {
			fputs("  ", stdout);
			continue;
		}
		lit_set(transcript, transcript->row_lit[i]);
		printf("%02x", transcript->row[i]);
		lit_set(transcript, false);
	}
	fputs("  |", stdout);
	for (size_t i = 0; i < count; i++) {
		unsigned char byte = transcript->row[i];
		lit_set(transcript, transcript->row_lit[i]);
		putchar_unlocked(byte >= ' ' && byte < 0x7f ? byte : '.');
	}
	lit_set(transcript, false);
	fputs("|\n", stdout);
	transcript->offset += count;
	transcript->row_count = 0;
}

static void
hex_data(struct transcript *transcript, const unsigned char *data, size_t size, bool lit)
{
	for (size_t i = 0; i < size; i++) {
		transcript->row[transcript->row_count] = data[i];
		transcript->row_lit[transcript->row_count++] = lit;
		if (transcript->row_count == TRANSCRIPT_HEX_WIDTH)
			hex_row(transcript);
	}
}

void
transcript_data(struct transcript *transcript, const unsigned char *data, size_t size, bool lit)
{
	if (transcript->hex)
		hex_data(transcript, data, size, lit);
	else
		text_data(transcript, data, size, lit);
}

void
transcript_end(struct transcript *transcript)
{
	if (transcript->hex && transcript->row_count > 0)
		hex_row(transcript);
	lit_set(transcript, false);
	if (transcript->in_line)
		putchar('\n');
	transcript->in_line = false;
}
