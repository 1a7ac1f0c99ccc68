#include "format/capture_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_LIBPCAP
#include <pcap/pcap.h>
#include <stdio_ext.h>

#define READ_SIZE (32 * 1024)
#define SECONDS_MOST ((int64_t)1 << 33) /* nanoseconds of more might overflow */

struct capture {
	struct source *source;
	int error; /* of the source, as an errno */
	pcap_t *pcap;
	int link;
	char buffer[READ_SIZE];
	char message[CAPTURE_ERROR_MAX];
};

/* The cookie's read: libpcap reads from a stdio stream, which reads from the source. */
static ssize_t
cookie_read(void *cookie, char *buffer, size_t size)
{
	struct capture *capture = cookie;
	ssize_t got = source_read(capture->source, buffer, size);

	if (got < 0)
		capture->error = errno;
	return got;
}

static int
cookie_close(void *cookie)
{
	struct capture *capture = cookie;

	source_free(capture->source);
	return 0;
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

static const char *
link_name(int link)
{
	const char *name = pcap_datalink_val_to_name(link);

	return name != NULL ? name : "unknown";
}

/* From now on the pcap_t owns the stream, and the stream the source. */
static int
capture_begin(struct capture *capture, char error[CAPTURE_ERROR_MAX])
{
	char text[PCAP_ERRBUF_SIZE] = "";
	const cookie_io_functions_t functions = {.read = cookie_read, .close = cookie_close};
	FILE *stream = fopencookie(capture, "r", functions);

	if (stream == NULL) {
		strlcpy(error, strerror(errno), CAPTURE_ERROR_MAX);
		source_free(capture->source);
		return -1;
	}
	(void)setvbuf(stream, capture->buffer, _IOFBF, sizeof(capture->buffer));
	(void)__fsetlocking(stream, FSETLOCKING_BYCALLER);
	capture->pcap =
	    pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_NANO, text);
	if (capture->pcap == NULL) {
		strlcpy(error, capture->error != 0 ? source_error(capture->error) : text,
		    CAPTURE_ERROR_MAX);
		fclose(stream);
		return -1;
	}
	capture->link = pcap_datalink(capture->pcap);
	if (packet_link_known(capture->link))
		return 0;
	snprintf(error, CAPTURE_ERROR_MAX, "packets of link type %s are not understood",
	    link_name(capture->link));
	pcap_close(capture->pcap);
	return -1;
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
	capture->source = source;
	capture->error = 0;
	capture->message[0] = '\0';
	if (capture_begin(capture, error) != 0) {
		free(capture);
		return NULL;
	}
	return capture;
}

void
capture_free(struct capture *capture)
{
	if (capture == NULL)
		return;
	pcap_close(capture->pcap);
	free(capture);
}

int
capture_filter(struct capture *capture, const char *expression)
{
	struct bpf_program program;
	int result;

	if (pcap_compile(capture->pcap, &program, expression, 1, PCAP_NETMASK_UNKNOWN) != 0)
		result = -1;
	else {
		result = pcap_setfilter(capture->pcap, &program);
		pcap_freecode(&program);
	}
	if (result != 0)
		strlcpy(capture->message, pcap_geterr(capture->pcap), sizeof(capture->message));
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
capture_next(struct capture *capture, struct packet *packet)
{
	struct pcap_pkthdr *header;
	const u_char *bytes;
	int result = pcap_next_ex(capture->pcap, &header, &bytes);

	if (result == 1) {
		packet->link = capture->link;
		packet->time = header_time(header);
		packet->bytes = bytes;
		packet->captured = header->caplen;
		packet->length = header->len;
		return 1;
	}
	if (capture->error != 0)
		strlcpy(capture->message, source_error(capture->error), sizeof(capture->message));
	else if (result == PCAP_ERROR_BREAK)
		return 0;
	else
		strlcpy(capture->message, pcap_geterr(capture->pcap), sizeof(capture->message));
	return -1;
}

const char *
capture_message(struct capture *capture)
{
	return capture->message;
}

#else

struct capture *
capture_from_source(struct source *source, char error[CAPTURE_ERROR_MAX])
{
	source_free(source);
	strlcpy(error, "captures are not supported: built without libpcap", CAPTURE_ERROR_MAX);
	return NULL;
}

void
capture_free(struct capture *capture)
{
	(void)capture;
}

int
capture_filter(struct capture *capture, const char *expression)
{
	(void)capture;
	(void)expression;
	return -1;
}

int
capture_next(struct capture *capture, struct packet *packet)
{
	(void)capture;
	(void)packet;
	return -1;
}

const char *
capture_message(struct capture *capture)
{
	(void)capture;
	return "";
}

#endif

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
