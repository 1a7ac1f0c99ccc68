#include "format/automaton.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "format/automaton_program.h"
#include "format/pattern_translate.h"

/* How far is gone on from where a match that became too long began; see search_go_back(). */
#define LEAP_LEAST 64
#define LEAP_GROWTH 8

/* A state the machine is in, and where the match begins that led to it. */
struct thread {
	size_t state;
	size_t start;
};

/* Threads in the order of their starts; a state is there once, with its least start. */
struct thread_list {
	struct thread *threads;
	size_t count;
};

struct automaton {
	struct program program;
	bool newlines;	 /* a match may hold one */
	bool first[256]; /* may a match begin with that byte */
	/* room for a search, as many as there are states */
	struct thread_list now, next;
	size_t *stack;
	size_t *marks; /* the round in which a state was last added */
	size_t round;
};

void
automaton_free(struct automaton *automaton)
{
	if (automaton == NULL)
		return;
	free(automaton->program.states);
	free(automaton->program.sets);
	free(automaton->now.threads);
	free(automaton->next.threads);
	free(automaton->stack);
	free(automaton->marks);
	free(automaton);
}

bool
automaton_in_lines(const struct automaton *automaton)
{
	return !automaton->newlines;
}

/* Where a search stands. */
struct search {
	struct automaton *automaton;
	const struct automaton_span *span;
	struct automaton_match *match;
	size_t at;
	bool expired; /* something that began as a match became too long */
	size_t start; /* where the last such thing began */
	size_t leap;  /* how far to go on from there */
};

static void
match_take(struct search *search, size_t start)
{
	struct automaton_match *match = search->match;

	if (match->found && match->begin < start)
		return;
	match->found = true;
	match->begin = start;
	match->end = search->at;
}

/* Add a state to `list`, and all it leads to without taking a byte. */
static void
thread_add(struct search *search, struct thread_list *list, size_t state, size_t start)
{
	struct automaton *automaton = search->automaton;
	const struct automaton_span *span = search->span;
	size_t depth = 0;

	automaton->stack[depth++] = state;
	while (depth > 0) {
		const struct state *here;
		state = automaton->stack[--depth];
		if (automaton->marks[state] == automaton->round)
			continue;
		automaton->marks[state] = automaton->round;
		here = &automaton->program.states[state];
		switch (here->type) {
		case STATE_SPLIT:
			automaton->stack[depth++] = here->b;
			automaton->stack[depth++] = here->a;
			break;
		case STATE_JUMP:
			automaton->stack[depth++] = here->a;
			break;
		case STATE_START:
			if (search->at == 0 && span->at_start)
				automaton->stack[depth++] = state + 1;
			break;
		case STATE_END:
			if (search->at == span->size && span->at_end)
				automaton->stack[depth++] = state + 1;
			else if (search->at == span->size) /* the next byte will tell */
				list->threads[list->count++] = (struct thread){state, start};
			break;
		case STATE_MATCH:
			match_take(search, start);
			break;
		case STATE_BYTE:
			list->threads[list->count++] = (struct thread){state, start};
			break;
		}
	}
}

/* All threads take a byte. */
static void
threads_step(struct search *search, unsigned char byte)
{
	struct automaton *automaton = search->automaton;
	struct thread_list old = automaton->now;

	automaton->now = automaton->next;
	automaton->next = old;
	automaton->now.count = 0;
	automaton->round++;
	search->at++;
	for (size_t i = 0; i < old.count; i++) {
		const struct thread *thread = &old.threads[i];
		const struct state *state = &automaton->program.states[thread->state];
		if (state->type != STATE_BYTE ||
		    !byte_set_holds(&automaton->program.sets[state->a], byte))
			continue;
		if (search->at - thread->start <= PATTERN_MATCH_MAX) {
			thread_add(search, &automaton->now, thread->state + 1, thread->start);
		} else if (!search->expired) {
			search->expired = true;
			search->start = thread->start;
		}
	}
}

/*
 * What became too long has hidden what began behind it and came to the same states: go back there.
 * Not to each place, or that would take the square of the time: further and further.
 */
static void
search_go_back(struct search *search)
{
	search->expired = false;
	if (search->match->found)
		return;
	search->at = search->start + search->leap;
	search->leap *= LEAP_GROWTH;
	search->automaton->now.count = 0;
}

/* Let go of threads that cannot beat the match found: those that begin behind it. */
static void
threads_cut(const struct search *search)
{
	struct thread_list *now = &search->automaton->now;

	if (!search->match->found)
		return;
	while (now->count > 0 && now->threads[now->count - 1].start > search->match->begin)
		now->count--;
}

/* Where the next match may begin; `limit` if nowhere before it. */
static size_t
pass_over(const struct automaton *automaton, const unsigned char *data, size_t at, size_t limit)
{
	while (at < limit && !automaton->first[data[at]])
		at++;
	return at;
}

void
automaton_search(
    struct automaton *automaton, const struct automaton_span *span, struct automaton_match *match)
{
	struct search search = {automaton, span, match, span->from, .leap = LEAP_LEAST};
	size_t before = span->before < span->size ? span->before : span->size;
	struct thread_list *now = &automaton->now;

	*match = (struct automaton_match){.found = false};
	now->count = 0;
	automaton->round++;
	for (;;) {
		if (now->count == 0) {
			if (!match->found)
				search.at = pass_over(automaton, span->data, search.at, before);
			if (match->found || search.at >= before)
				break;
			automaton->round++; /* what was marked on the way here is gone */
		}
		if (!match->found && search.at < before && automaton->first[span->data[search.at]])
			thread_add(&search, now, 0, search.at);
		threads_cut(&search);
		if (search.at >= span->size)
			break;
		if (now->count > 0) {
			threads_step(&search, span->data[search.at]);
			threads_cut(&search);
			if (search.expired)
				search_go_back(&search);
		} else if (!match->found) {
			search.at++;
		}
	}
	match->certain = span->at_end || now->count == 0;
	if (!match->certain)
		match->alive = now->threads[0].start;
}

/* -- making one -- */

/* Which bytes may a match begin with? Anchors are taken to hold. */
static void
first_fill(struct automaton *automaton)
{
	const struct program *program = &automaton->program;
	size_t depth = 0;

	automaton->round++;
	automaton->stack[depth++] = 0;
	while (depth > 0) {
		size_t state = automaton->stack[--depth];
		const struct state *here = &program->states[state];
		if (automaton->marks[state] == automaton->round)
			continue;
		automaton->marks[state] = automaton->round;
		switch (here->type) {
		case STATE_SPLIT:
			automaton->stack[depth++] = here->b;
			automaton->stack[depth++] = here->a;
			break;
		case STATE_JUMP:
			automaton->stack[depth++] = here->a;
			break;
		case STATE_START:
		case STATE_END:
			automaton->stack[depth++] = state + 1;
			break;
		case STATE_BYTE:
			for (unsigned byte = 0; byte < 256; byte++)
				if (byte_set_holds(&program->sets[here->a], byte))
					automaton->first[byte] = true;
			break;
		case STATE_MATCH:
			break;
		}
	}
}

/* Make room for searches. Returns -1 with errno. */
static int
room_make(struct automaton *automaton)
{
	size_t count = automaton->program.count;

	automaton->stack = calloc(count, 2 * sizeof(*automaton->stack));
	automaton->marks = calloc(count, sizeof(*automaton->marks));
	automaton->now.threads = calloc(count, sizeof(*automaton->now.threads));
	automaton->next.threads = calloc(count, sizeof(*automaton->next.threads));
	return automaton->stack != NULL && automaton->marks != NULL &&
		       automaton->now.threads != NULL && automaton->next.threads != NULL
		   ? 0
		   : -1;
}

struct automaton *
automaton_new(const char *text)
{
	struct automaton *automaton = calloc(1, sizeof(*automaton));
	char *regex = malloc(PATTERN_TRANSLATED_MAX(strlen(text)));
	struct program *program;
	size_t length;

	if (automaton == NULL || regex == NULL)
		goto fail;
	program = &automaton->program;
	if (pattern_translate(text, regex, &length) != NULL) {
		errno = EINVAL;
		goto fail;
	}
	if (program_append(program, regex, length) != 0 ||
	    program_state(program, STATE_MATCH, 0, 0) == SIZE_MAX || room_make(automaton) != 0)
		goto fail;
	for (size_t i = 0; i < program->set_count; i++)
		if (byte_set_holds(&program->sets[i], '\n'))
			automaton->newlines = true;
	first_fill(automaton);
	free(regex);
	return automaton;
fail:
	free(regex);
	automaton_free(automaton);
	return NULL;
}
