#include <stdlib.h>
#include <string.h>

#include "format/capture_private.h"

#ifdef HAVE_LIBPCAP
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdio_ext.h>

#define BUFFER_SIZE (32 * 1024)
#define SECONDS_MOST ((int64_t)1 << 33) /* nanoseconds of more might overflow */

struct capture_other {
	pcap_t *pcap;
	int link;
	char buffer[BUFFER_SIZE];
};

/* The cookie's read: libpcap reads from a stdio stream, which reads what was looked at, then the
 * rest. */
static ssize_t
cookie_read(void *cookie, char *buffer, size_t size)
{
	struct capture_input *input = cookie;
	size_t left = input->end - input->at;
	ssize_t got;

	if (left > 0) {
		if (size > left)
			size = left;
		memcpy(buffer, input->bytes + input->at, size);
		input->at += size;
		return (ssize_t)size;
	}
	got = source_read(input->source, buffer, size);
	if (got < 0)
		input->error = errno;
	return got;
}

static const char *
link_name(int link)
{
	const char *name = pcap_datalink_val_to_name(link);

	return name != NULL ? name : "unknown";
}

/* From now on the pcap_t owns the stream. Returns 0, or -1 with `message`. */
static int
other_begin(
    struct capture_other *other, struct capture_input *input, char message[CAPTURE_ERROR_MAX])
{
	char text[PCAP_ERRBUF_SIZE] = "";
	FILE *stream = fopencookie(input, "r", (const cookie_io_functions_t){.read = cookie_read});

	if (stream == NULL) {
		strlcpy(message, strerror(errno), CAPTURE_ERROR_MAX);
		return -1;
	}
	(void)setvbuf(stream, other->buffer, _IOFBF, sizeof(other->buffer));
	(void)__fsetlocking(stream, FSETLOCKING_BYCALLER);
	other->pcap =
	    pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_NANO, text);
	if (other->pcap == NULL) {
		strlcpy(message, text, CAPTURE_ERROR_MAX);
		fclose(stream);
		return -1;
	}
	other->link = pcap_datalink(other->pcap);
	if (packet_link_known(other->link))
		return 0;
	snprintf(message, CAPTURE_ERROR_MAX, "packets of link type %s are not understood",
	    link_name(other->link));
	pcap_close(other->pcap);
	return -1;
}

struct capture_other *
capture_other_new(struct capture_input *input, char message[CAPTURE_ERROR_MAX])
{
	struct capture_other *other = malloc(sizeof(*other));

	if (other == NULL) {
		strlcpy(message, strerror(ENOMEM), CAPTURE_ERROR_MAX);
	} else if (other_begin(other, input, message) != 0) {
		free(other);
		other = NULL;
	}
	return other;
}

void
capture_other_free(struct capture_other *other)
{
	if (other == NULL)
		return;
	pcap_close(other->pcap);
	free(other);
}

int
capture_other_filter(
    struct capture_other *other, const char *expression, char message[CAPTURE_ERROR_MAX])
{
	struct bpf_program program;
	int result;

	if (pcap_compile(other->pcap, &program, expression, 1, PCAP_NETMASK_UNKNOWN) != 0) {
		result = -1;
	} else {
		result = pcap_setfilter(other->pcap, &program);
		pcap_freecode(&program);
	}
	if (result != 0)
		strlcpy(message, pcap_geterr(other->pcap), CAPTURE_ERROR_MAX);
	return result;
}

/* libpcap was asked to put nanoseconds where microseconds stand else. */
static int64_t
header_time(const struct pcap_pkthdr *header)
{
	int64_t seconds = header->ts.tv_sec;

	if (seconds < 0)
		seconds = 0;
	if (seconds > SECONDS_MOST)
		seconds = SECONDS_MOST;
	return seconds * 1000000000 + (int64_t)header->ts.tv_usec % 1000000000;
}

int
capture_other_next(
    struct capture_other *other, struct packet *packet, char message[CAPTURE_ERROR_MAX])
{
	struct pcap_pkthdr *header;
	const u_char *bytes;
	int result = pcap_next_ex(other->pcap, &header, &bytes);

	if (result == 1) {
		packet->link = other->link;
		packet->time = header_time(header);
		packet->bytes = bytes;
		packet->captured = header->caplen;
		packet->length = header->len;
		return 1;
	}
	if (result == PCAP_ERROR_BREAK)
		return 0;
	strlcpy(message, pcap_geterr(other->pcap), CAPTURE_ERROR_MAX);
	return -1;
}

#else

struct capture_other *
capture_other_new(struct capture_input *input, char message[CAPTURE_ERROR_MAX])
{
	(void)input;
	strlcpy(message,
	    "filters, and captures other than classic pcap, are not supported: built without "
	    "libpcap",
	    CAPTURE_ERROR_MAX);
	return NULL;
}

void
capture_other_free(struct capture_other *other)
{
	(void)other;
}

int
capture_other_filter(
    struct capture_other *other, const char *expression, char message[CAPTURE_ERROR_MAX])
{
	(void)other;
	(void)expression;
	(void)message;
	return -1;
}

int
capture_other_next(
    struct capture_other *other, struct packet *packet, char message[CAPTURE_ERROR_MAX])
{
	(void)other;
	(void)packet;
	(void)message;
	return -1;
}

#endif
