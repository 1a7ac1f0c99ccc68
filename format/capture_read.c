#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/capture_private.h"

struct capture {
	struct capture_input input;
	struct capture_classic classic;
	struct capture_other *other; /* NULL: it is read as `classic` */
	char message[CAPTURE_ERROR_MAX];
};

int
capture_input_need(struct capture_input *input, size_t size)
{
	if (input->end - input->at >= size)
		return 1;
	memmove(input->bytes, input->bytes + input->at, input->end - input->at);
	input->end -= input->at;
	input->at = 0;
	while (input->end < size) {
		ssize_t got =
		    source_read(input->source, input->bytes + input->end, CAPTURE_READ_SIZE);
		if (got < 0)
			input->error = errno;
		if (got <= 0)
			return (int)got;
		input->end += (size_t)got;
	}
	return 1;
}

static const char *
source_error(int error)
{
	if (error == EILSEQ)
		return "gzip data is damaged";
	if (error == ENODATA)
		return "gzip data is cut short";
	return strerror(error);
}

/* It failed: an error of the source is why, if there was one. Returns -1. */
static int
capture_failed(struct capture *capture)
{
	if (capture->input.error != 0)
		strlcpy(
		    capture->message, source_error(capture->input.error), sizeof(capture->message));
	return -1;
}

/* Have libpcap read all of it. */
static int
capture_begin_other(struct capture *capture)
{
	capture->input.at = 0;
	capture->other = capture_other_new(&capture->input, capture->message);
	return capture->other == NULL ? capture_failed(capture) : 0;
}

static int
capture_begin(struct capture *capture)
{
	int classic = capture_classic_begin(&capture->classic, &capture->input);

	if (classic < 0)
		return capture_failed(capture);
	return classic > 0 ? 0 : capture_begin_other(capture);
}

struct capture *
capture_from_source(struct source *source, char error[CAPTURE_ERROR_MAX])
{
	struct capture *capture = malloc(sizeof(*capture));

	if (capture == NULL) {
		source_free(source);
		strlcpy(error, strerror(ENOMEM), CAPTURE_ERROR_MAX);
		return NULL;
	}
	capture->input.source = source;
	capture->input.error = 0;
	capture->input.at = capture->input.end = 0;
	capture->other = NULL;
	capture->message[0] = '\0';
	if (capture_begin(capture) != 0) {
		strlcpy(error, capture->message, CAPTURE_ERROR_MAX);
		capture_free(capture);
		return NULL;
	}
	return capture;
}

struct capture *
capture_open(const char *path, char error[CAPTURE_ERROR_MAX])
{
	struct source *source = source_open(path);

	if (source == NULL) {
		strlcpy(error, strerror(errno), CAPTURE_ERROR_MAX);
		return NULL;
	}
	return capture_from_source(source, error);
}

void
capture_free(struct capture *capture)
{
	if (capture == NULL)
		return;
	capture_other_free(capture->other);
	source_free(capture->input.source);
	free(capture);
}

int
capture_filter(struct capture *capture, const char *expression)
{
	/* filters are for what libpcap has read */
	if (capture->other == NULL && capture_begin_other(capture) != 0)
		return -1;
	return capture_other_filter(capture->other, expression, capture->message);
}

int
capture_next(struct capture *capture, struct packet *packet)
{
	int result = capture->other != NULL
			 ? capture_other_next(capture->other, packet, capture->message)
			 : capture_classic_next(
			       &capture->classic, &capture->input, packet, capture->message);

	/* libpcap may take an error of its stream for its end */
	return result <= 0 && capture->input.error != 0 ? capture_failed(capture) : result;
}

const char *
capture_message(struct capture *capture)
{
	return capture->message;
}
