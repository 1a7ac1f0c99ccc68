#include <stdbool.h>

#include "nettunnel/frame.h"

/* What each type allows. */
static const struct {
	size_t least, most; /* size of the payload */
	bool stream;	    /* about a stream, not about the link */
	bool number;	    /* the payload is one */
} rules[] = {
    [FRAME_OPEN] = {0, FRAME_TEXT_MAX, true, false},
    [FRAME_DATA] = {1, FRAME_DATA_MAX, true, false},
    [FRAME_WINDOW] = {4, 4, true, true},
    [FRAME_END] = {0, 0, true, false},
    [FRAME_RESET] = {1, 1, true, true},
    [FRAME_DRAIN] = {0, 0, false, false},
    [FRAME_BYE] = {0, 0, false, false},
    [FRAME_ACK] = {8, 8, false, true},
    [FRAME_PING] = {8, 8, false, true},
    [FRAME_PONG] = {8, 8, false, true},
};

void
frame_put_number(unsigned char *out, uint64_t number, size_t size)
{
	while (size-- > 0) {
		out[size] = (unsigned char)number;
		number >>= 8;
	}
}

uint64_t
frame_get_number(const unsigned char *data, size_t size)
{
	uint64_t number = 0;

	for (size_t i = 0; i < size; i++)
		number = number << 8 | data[i];
	return number;
}

void
frame_encode(unsigned char header[FRAME_HEADER], enum frame_type type, uint64_t stream, size_t size)
{
	header[0] = (unsigned char)type;
	frame_put_number(header + 1, size, 3);
	frame_put_number(header + 4, stream, 8);
}

ssize_t
frame_decode(const unsigned char *data, size_t size, struct frame *frame, const char **error)
{
	size_t type;

	if (size < FRAME_HEADER)
		return 0;
	type = data[0];
	frame->size = (size_t)frame_get_number(data + 1, 3);
	frame->stream = frame_get_number(data + 4, 8);
	if (type == 0 || type >= sizeof(rules) / sizeof(rules[0])) {
		*error = "unknown type of frame";
		return -1;
	}
	if (frame->size < rules[type].least || frame->size > rules[type].most) {
		*error = "frame of an impossible size";
		return -1;
	}
	if ((frame->stream != 0) != rules[type].stream) {
		*error = rules[type].stream ? "frame without a stream" : "frame with a stream";
		return -1;
	}
	if (size - FRAME_HEADER < frame->size)
		return 0;
	frame->type = (enum frame_type)type;
	frame->payload = data + FRAME_HEADER;
	frame->number = rules[type].number ? frame_get_number(frame->payload, frame->size) : 0;
	return (ssize_t)(FRAME_HEADER + frame->size);
}
