#include "format/automaton_program.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define STATES_MAX 1000000 /* of all patterns together */
#define NONE SIZE_MAX

/*
 * The pattern as a tree, so that repetitions can write an operand out several times. Nodes are
 * indices into one array; a node's operands stand before it.
 */
enum node_type { NODE_EMPTY, NODE_SET, NODE_START, NODE_END, NODE_JOIN, NODE_EITHER, NODE_REPEAT };

struct node {
	enum node_type type;
	size_t left,
	    right; /* operands; of NODE_SET `left` is the set, of NODE_REPEAT the operand */
	unsigned least, most; /* of NODE_REPEAT; UINT_MAX: any number */
};

struct parser {
	struct program *program;
	const char *at, *end;
	size_t depth;
	struct node *nodes;
	size_t count, capacity;
};

static int
grow(void **array, size_t *capacity, size_t count, size_t size)
{
	size_t wanted = *capacity > 0 ? 2 * *capacity : 32;
	void *grown;

	if (count < *capacity)
		return 0;
	grown = reallocarray(*array, wanted, size);
	if (grown == NULL)
		return -1;
	*array = grown;
	*capacity = wanted;
	return 0;
}

size_t
program_state(struct program *program, enum state_type type, size_t a, size_t b)
{
	void *states = program->states;

	if (program->count >= STATES_MAX) {
		errno = ENOMEM;
		return NONE;
	}
	if (grow(&states, &program->capacity, program->count, sizeof(struct state)) != 0)
		return NONE;
	program->states = states;
	program->states[program->count] = (struct state){type, a, b};
	return program->count++;
}

/* -- from text to a tree -- */

static size_t
node_new(struct parser *parser, enum node_type type, size_t left, size_t right)
{
	void *nodes = parser->nodes;

	if (grow(&nodes, &parser->capacity, parser->count, sizeof(struct node)) != 0)
		return NONE;
	parser->nodes = nodes;
	parser->nodes[parser->count] = (struct node){type, left, right, 0, 0};
	return parser->count++;
}

static size_t
node_set(struct parser *parser, const struct byte_set *set)
{
	struct program *program = parser->program;
	void *sets = program->sets;

	if (grow(&sets, &program->set_capacity, program->set_count, sizeof(*set)) != 0)
		return NONE;
	program->sets = sets;
	program->sets[program->set_count++] = *set;
	return node_new(parser, NODE_SET, program->set_count - 1, NONE);
}

static size_t
node_byte(struct parser *parser, char byte)
{
	struct byte_set set = {{0}};

	byte_set_add(&set, (unsigned char)byte);
	return node_set(parser, &set);
}

static size_t
wrong(void)
{
	errno = EINVAL;
	return NONE;
}

static bool
is_one_of(char c, const char *characters)
{
	return c != '\0' && strchr(characters, c) != NULL;
}

/* Add the class that `name` tells, as "alpha". Returns 0, or -1 if there is none. */
static int
class_add(struct byte_set *set, const char *name, size_t length)
{
	static const struct {
		const char *name;
		int (*holds)(int);
	} classes[] = {{"alpha", isalpha}, {"digit", isdigit}, {"alnum", isalnum},
	    {"upper", isupper}, {"lower", islower}, {"space", isspace}, {"blank", isblank},
	    {"punct", ispunct}, {"print", isprint}, {"graph", isgraph}, {"cntrl", iscntrl},
	    {"xdigit", isxdigit}};

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		if (strlen(classes[i].name) != length || memcmp(classes[i].name, name, length) != 0)
			continue;
		for (int byte = 0; byte < 128; byte++) {
			if (classes[i].holds(byte))
				byte_set_add(set, (unsigned)byte);
		}
		return 0;
	}
	return -1;
}

/* Take one element inside brackets: a byte (returned), or a class (-1: was added). -2: is wrong. */
static int
bracket_element(struct parser *parser, struct byte_set *set)
{
	const char *at = parser->at, *name = at + 2;
	const char *close;
	char kind;

	if (at >= parser->end)
		return -2;
	if (at[0] != '[' || parser->end - at < 2 || !is_one_of(at[1], ":.=")) {
		parser->at++;
		return (unsigned char)at[0];
	}
	kind = at[1];
	/* "[.].]" names a bracket: the name has a byte at least */
	for (close = name + 1; close + 1 < parser->end; close++) {
		if (close[0] == kind && close[1] == ']')
			break;
	}
	if (close + 1 >= parser->end)
		return -2;
	parser->at = close + 2;
	if (kind == ':')
		return class_add(set, name, (size_t)(close - name)) == 0 ? -1 : -2;
	return close - name == 1 ? (unsigned char)name[0] : -2;
}

static size_t
bracket_parse(struct parser *parser)
{
	struct byte_set set = {{0}};
	bool inverted, first = true;

	inverted = parser->at < parser->end && *parser->at == '^';
	if (inverted)
		parser->at++;
	for (; parser->at < parser->end && (*parser->at != ']' || first); first = false) {
		int low = bracket_element(parser, &set), high = low;
		if (low == -2)
			return wrong();
		if (low == -1)
			continue;
		if (parser->end - parser->at >= 2 && parser->at[0] == '-' && parser->at[1] != ']') {
			parser->at++;
			high = bracket_element(parser, &set);
			if (high < low)
				return wrong();
		}
		for (int byte = low; byte <= high; byte++)
			byte_set_add(&set, (unsigned)byte);
	}
	if (parser->at >= parser->end)
		return wrong();
	parser->at++;
	if (inverted) {
		byte_set_add(&set, '\n');
		for (size_t i = 0; i < 4; i++)
			set.bits[i] = ~set.bits[i];
	}
	return node_set(parser, &set);
}

static size_t either_parse(struct parser *parser);

static size_t
group_parse(struct parser *parser)
{
	size_t node;

	parser->depth++;
	node = either_parse(parser);
	parser->depth--;
	if (node == NONE)
		return NONE;
	if (parser->at >= parser->end)
		return wrong();
	parser->at++; /* the parenthesis that ended either_parse() */
	return node;
}

static size_t
atom_parse(struct parser *parser)
{
	struct byte_set any = {{~(UINT64_C(1) << '\n'), UINT64_MAX, UINT64_MAX, UINT64_MAX}};
	char byte = *parser->at++;

	switch (byte) {
	case '(':
		return group_parse(parser);
	case '[':
		return bracket_parse(parser);
	case '.':
		return node_set(parser, &any);
	case '^':
		return node_new(parser, NODE_START, NONE, NONE);
	case '$':
		return node_new(parser, NODE_END, NONE, NONE);
	case '*':
	case '+':
	case '?':
	case '{':
		return wrong();
	case '\\':
		if (parser->at >= parser->end)
			return wrong();
		byte = *parser->at++;
		break;
	default:
		break;
	}
	return node_byte(parser, byte);
}

/* The number at parser->at, which is moved behind it; NONE if there is none. */
static size_t
number_parse(struct parser *parser)
{
	const char *begin = parser->at;
	size_t number = 0;

	for (; parser->at < parser->end && isdigit((unsigned char)*parser->at); parser->at++)
		number = number > RE_DUP_MAX ? number : 10 * number + (size_t)(*parser->at - '0');
	return parser->at == begin || number > RE_DUP_MAX ? NONE : number;
}

/* The interval behind its "{". Returns 0, or -1 if it is wrong. */
static int
interval_parse(struct parser *parser, unsigned *least, unsigned *most)
{
	size_t low = number_parse(parser), high = low;

	if (parser->at < parser->end && *parser->at == ',') {
		parser->at++;
		if (low == NONE)
			low = 0;
		high = number_parse(parser);
	} else if (low == NONE) {
		return -1;
	}
	if (parser->at >= parser->end || *parser->at != '}' || high < low)
		return -1;
	parser->at++;
	*least = (unsigned)low;
	*most = high == NONE ? UINT_MAX : (unsigned)high;
	return 0;
}

static size_t
repeat_parse(struct parser *parser)
{
	size_t node = atom_parse(parser);

	while (node != NONE && parser->at < parser->end && is_one_of(*parser->at, "*+?{")) {
		char sign = *parser->at++;
		unsigned least = sign == '+' ? 1 : 0, most = sign == '?' ? 1 : UINT_MAX;
		if (sign == '{' && interval_parse(parser, &least, &most) != 0)
			return wrong();
		node = node_new(parser, NODE_REPEAT, node, NONE);
		if (node == NONE)
			return NONE;
		parser->nodes[node].least = least;
		parser->nodes[node].most = most;
	}
	return node;
}

static bool
branch_ended(const struct parser *parser)
{
	return parser->at >= parser->end || *parser->at == '|' ||
	       (*parser->at == ')' && parser->depth > 0);
}

static size_t
branch_parse(struct parser *parser)
{
	size_t node = NONE;

	while (!branch_ended(parser)) {
		size_t next = repeat_parse(parser);
		if (next == NONE)
			return NONE;
		node = node == NONE ? next : node_new(parser, NODE_JOIN, node, next);
		if (node == NONE)
			return NONE;
	}
	return node == NONE ? node_new(parser, NODE_EMPTY, NONE, NONE) : node;
}

static size_t
either_parse(struct parser *parser)
{
	size_t node = branch_parse(parser);

	while (node != NONE && parser->at < parser->end && *parser->at == '|') {
		size_t next;
		parser->at++;
		next = branch_parse(parser);
		node = next == NONE ? NONE : node_new(parser, NODE_EITHER, node, next);
	}
	return node;
}

/* -- from the tree to states -- */

static int emit(const struct parser *parser, size_t index);

static int
emit_state(const struct parser *parser, enum state_type type, size_t a)
{
	return program_state(parser->program, type, a, NONE) == NONE ? -1 : 0;
}

static int
emit_either(const struct parser *parser, const struct node *node)
{
	struct program *program = parser->program;
	size_t split = program_state(program, STATE_SPLIT, program->count + 1, NONE), jump;

	if (split == NONE || emit(parser, node->left) != 0)
		return -1;
	jump = program_state(program, STATE_JUMP, NONE, NONE);
	if (jump == NONE)
		return -1;
	program->states[split].b = program->count;
	if (emit(parser, node->right) != 0)
		return -1;
	program->states[jump].a = program->count;
	return 0;
}

/* "x*", also where x can be empty: it splits in front of x and jumps back there. */
static int
emit_any_number(const struct parser *parser, size_t operand)
{
	struct program *program = parser->program;
	size_t split = program_state(program, STATE_SPLIT, program->count + 1, NONE);

	if (split == NONE || emit(parser, operand) != 0)
		return -1;
	if (emit_state(parser, STATE_JUMP, split) != 0)
		return -1;
	program->states[split].b = program->count;
	return 0;
}

static int
emit_repeat(const struct parser *parser, const struct node *node)
{
	struct program *program = parser->program;

	for (unsigned i = 0; i < node->least; i++) {
		if (emit(parser, node->left) != 0)
			return -1;
	}
	if (node->most == UINT_MAX)
		return emit_any_number(parser, node->left);
	for (unsigned i = node->least; i < node->most; i++) {
		size_t split = program_state(program, STATE_SPLIT, program->count + 1, NONE);
		if (split == NONE || emit(parser, node->left) != 0)
			return -1;
		/* one that is left out leads to the next, which can be left out too */
		program->states[split].b = program->count;
	}
	return 0;
}

static int
emit(const struct parser *parser, size_t index)
{
	const struct node *node = &parser->nodes[index];

	switch (node->type) {
	case NODE_SET:
		return emit_state(parser, STATE_BYTE, node->left);
	case NODE_START:
		return emit_state(parser, STATE_START, NONE);
	case NODE_END:
		return emit_state(parser, STATE_END, NONE);
	case NODE_JOIN:
		return emit(parser, node->left) != 0 ? -1 : emit(parser, node->right);
	case NODE_EITHER:
		return emit_either(parser, node);
	case NODE_REPEAT:
		return emit_repeat(parser, node);
	case NODE_EMPTY:
		break;
	}
	return 0;
}

int
program_append(struct program *program, const char *regex, size_t length)
{
	struct parser parser = {.program = program, .at = regex, .end = regex + length};
	size_t root = either_parse(&parser);
	int result = root == NONE ? -1 : emit(&parser, root);

	free(parser.nodes);
	return result;
}
